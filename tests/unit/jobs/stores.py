"""Stores that hold hand-made version manifests and nothing else."""

import argparse
from pathlib import Path
from typing import Any

from retrieval.storage import write_bytes
from schemas.config import Config
from schemas.layout import Layout
from schemas.manifest import Current
from tests.unit.actors.seams import VERSION


def config(folder: Path, **values: Any) -> Config:
    return Config.model_validate({"store": str(folder), "encoder": VERSION.encoder, **values})


def add_versions(layout: Layout, *names: str) -> None:
    """Write manifests, each created a day after the one before, whatever their names."""
    for day, name in enumerate(names, 1):
        version = VERSION.model_copy(update={"id": name, "created": f"2026-01-{day:02}T00:00:00+00:00"})
        write_bytes(layout.version(name), version.model_dump_json().encode())


def set_current(layout: Layout, current: Current) -> None:
    write_bytes(layout.current, current.model_dump_json().encode())


def options(**values: Any) -> argparse.Namespace:
    return argparse.Namespace(**values)

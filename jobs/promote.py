"""Make a version CURRENT: the one atomic step by which a build is served."""

import argparse
from typing import Any

from jobs.common.store import open_layout, read_current, read_version, swap_current, versions
from schemas.config import Config
from schemas.errors import StoreError
from schemas.layout import Layout
from schemas.manifest import Current, IndexVersion


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the job's options."""
    parser.add_argument("version", nargs="?", help="default: the newest that was not rolled back from")


def run(config: Config, options: argparse.Namespace) -> dict[str, Any]:
    """Promote the version that is named, or the newest."""
    layout = open_layout(config)
    current = read_current(layout)
    version = read_version(layout, options.version) if options.version else _newest(layout, current)
    if current and current.version == version.id:
        return {"version": version.id, "previous": current.version, "promoted": False}
    promoted = Current(
        version=version.id,
        epoch=current.epoch + 1 if current else 1,
        history=(*current.history, current.version) if current else (),
        withdrawn=tuple(v for v in current.withdrawn if v != version.id) if current else (),
    )
    swap_current(layout, current, promoted)
    return {"version": version.id, "previous": current.version if current else None, "promoted": True}


def show(report: dict[str, Any]) -> str:
    """Return the report for a person."""
    before = f", before it {report['previous']}" if report["previous"] else ""
    return f"CURRENT is {report['version']}" + (before if report["promoted"] else ", as it was")


def _newest(layout: Layout, current: Current | None) -> IndexVersion:
    withdrawn = current.withdrawn if current else ()
    candidates = [v for v in versions(layout) if v.id not in withdrawn]
    if not candidates:
        raise StoreError(f"the store {layout.root} has no version to promote; run pubray index first")
    return candidates[-1]

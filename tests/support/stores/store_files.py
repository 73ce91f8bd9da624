"""Stores with hand-made version manifests, article parts and snapshots."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from retrieval.articles.article import Rejects, SourceFile, article_batch, write_article_part
from retrieval.articles.snapshot import Snapshot, read_snapshot
from retrieval.articles.snapshot_update import SnapshotPlan, write_snapshot
from retrieval.files.atomic import write_bytes
from schemas.article import Article
from schemas.config import Config
from schemas.layout import Layout
from schemas.manifest import Current, IndexVersion
from schemas.snapshot import Lineage, PartRef
from tests.support.service.seams import VERSION


def config(folder: Path, **values: Any) -> Config:
    return Config.model_validate({"store": str(folder), "encoder": VERSION.encoder, **values})


def add_versions(
    layout: Layout, *names: str, parents: Mapping[str, str] = MappingProxyType({}), of: IndexVersion = VERSION
) -> None:
    """Write manifests of the same files, each created a day after the one before, whatever their names."""
    for day, name in enumerate(names, 1):
        made = {"id": name, "created": f"2026-01-{day:02}T00:00:00+00:00", "parent": parents.get(name)}
        write_bytes(layout.version(name), of.model_copy(update=made).model_dump_json().encode())


def set_current(layout: Layout, current: Current) -> None:
    write_bytes(layout.current, current.model_dump_json().encode())


def add_part(
    layout: Layout, name: str, *articles: Article, source_bytes: int = 1, lineage: int | None = None
) -> PartRef:
    """Write the article part of a source file."""
    path = layout.article_part(name)
    return write_article_part(
        path, [article_batch(articles or [Article(1)])], SourceFile(source_bytes, lineage=lineage), Rejects()
    ).ref


def add_snapshot(
    layout: Layout, parts: Sequence[PartRef], previous: Snapshot | None = None, lineage: Lineage | None = None
) -> Snapshot:
    """Write the snapshot of article parts."""
    plan = SnapshotPlan(lineage or Lineage(number=0), tuple(parts), previous)
    write_snapshot(layout.snapshot(plan.id), plan, layout.article_part, lambda counts: None)
    return read_snapshot(Path(layout.snapshot(plan.id)))

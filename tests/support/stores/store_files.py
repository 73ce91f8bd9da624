"""Stores with hand-made version manifests, article parts and snapshots."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retrieval.articles.article import ArticlePart, Rejects, article_batch, write_article_part
from retrieval.articles.known_parts import KnownParts
from retrieval.articles.snapshot import Snapshot, read_snapshot
from retrieval.articles.snapshot_update import SnapshotPlan, write_snapshot
from retrieval.embed.vector_parts import write_vector_part
from retrieval.files.checked import write_bytes
from schemas.arrays import Mask, Pmids, Rows
from schemas.article import Article
from schemas.config import Config
from schemas.layout import Layout
from schemas.manifest import Current, IndexVersion
from schemas.snapshot import Lineage, PartRef, SourceFile
from schemas.store import Store
from tests.support.service.seams import VERSION

SOURCE = SourceFile(1)


def config(folder: Path, **values: Any) -> Config:
    return Config.model_validate({"store": str(folder), "encoder": VERSION.encoder, **values})


def add_versions(
    store: Store, *names: str, parents: Mapping[str, str] = MappingProxyType({}), of: IndexVersion = VERSION
) -> None:
    """Write manifests of the same files, each created a day after the one before, whatever their names."""
    for day, name in enumerate(names, 1):
        made = {"id": name, "created": f"2026-01-{day:02}T00:00:00+00:00", "parent": parents.get(name)}
        write_bytes(store, Layout.version(name), of.model_copy(update=made).model_dump_json().encode())


def set_current(store: Store, current: Current) -> None:
    write_bytes(store, Layout.current, current.model_dump_json().encode())


def add_part(store: Store, name: str, *articles: Article, source_bytes: int = 1, lineage: int | None = None) -> PartRef:
    """Write the article part of a source file."""
    source = SourceFile(source_bytes, lineage=lineage)
    return write_part(store, name, [article_batch(articles or [Article(1)])], source).ref


def write_part(
    store: Store,
    name: str,
    batches: Iterable[pa.RecordBatch],
    source: SourceFile = SOURCE,
    rejects: Rejects | None = None,
) -> ArticlePart:
    """Write the article part of a source file from batches of records."""
    with store.incoming(Layout.article_part(name)) as path:
        return write_article_part(path, name, batches, source, rejects or Rejects())


def add_vectors(
    store: Store, key: str, pmids: Pmids, hashes: NDArray[np.uint64], vectors: Rows, wanted: Mask | None = None
) -> None:
    """Write a vector part; every row has a vector unless `wanted` says which have."""
    with store.incoming(key) as path:
        write_vector_part(path, pmids, hashes, vectors, np.full(len(pmids), True) if wanted is None else wanted)


def add_snapshot(
    store: Store, parts: Sequence[PartRef], previous: Snapshot | None = None, lineage: Lineage | None = None
) -> Snapshot:
    """Write the snapshot of article parts, of which it knows the files."""
    known = KnownParts(store, None)
    plan = SnapshotPlan(
        lineage or Lineage(number=0),
        tuple(parts),
        previous,
        part_files={ref.name: known.file(ref.name) for ref in parts},
    )
    write_snapshot(store, plan, lambda counts: None)
    return read_snapshot(store, plan.id)

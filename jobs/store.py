"""Finding one's way in a store: what is there, which snapshot is the newest, which version is served."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.parts import ArticlePart, read_article_part
from retrieval.selection import parse_pmids, selection_id
from retrieval.snapshot import snapshot_id
from retrieval.sources import source_order
from retrieval.storage import compare_and_swap, read_bytes, read_document
from schemas.config import Config, SelectionConfig
from schemas.errors import InputError, StoreError
from schemas.layout import Layout
from schemas.manifest import Current, IndexVersion


def open_layout(config: Config) -> Layout:
    """Return the paths of the configured store; the folder need not exist yet."""
    return Layout(config.store)


def article_parts(layout: Layout) -> list[ArticlePart]:
    """Return all article parts in file order."""
    folder = Path(layout.article_parts)
    files = [f for f in folder.glob("*.parquet") if not f.name.startswith(".")]
    return sorted((read_article_part(f) for f in files), key=lambda part: source_order(part.name))


def newest_snapshot(layout: Layout, parts: list[ArticlePart]) -> str:
    """Return the id of the snapshot of all article parts.

    Raises:
        StoreError: nothing was ingested, or the last ingest did not finish.
    """
    if not parts:
        raise StoreError(f"the store {layout.root} holds no articles; run pubray ingest --source … first")
    identifier = snapshot_id([(part.name, part.digest) for part in parts])
    if not Path(layout.snapshot(identifier)).exists():
        raise StoreError(f"the store {layout.root} has article parts without a snapshot; run pubray ingest again")
    return identifier


def load_selection(config: SelectionConfig) -> tuple[str, NDArray[np.int64] | None]:
    """Return the selection's id, and its PMIDs where it is a list."""
    if config.rule != "pmids":
        return selection_id(config, None), None
    if config.file is None:
        raise InputError("selection.rule = 'pmids' needs selection.file, a list of PMIDs")
    try:
        text = Path(config.file).read_text()
    except OSError as error:
        raise InputError(f"selection.file = {config.file!r}: {error.strerror}") from None
    pmids = parse_pmids(text, config.file)
    return selection_id(config, pmids), pmids


def read_version(layout: Layout, version: str) -> IndexVersion:
    """Return a version's manifest."""
    return read_document(layout.version(version), IndexVersion, f"version {version}")


def versions(layout: Layout) -> list[IndexVersion]:
    """Return all versions, oldest first."""
    files = [f for f in Path(layout.versions).glob("*.json") if not f.name.startswith(".")]
    return sorted((read_version(layout, f.stem) for f in files), key=lambda v: (v.created, v.id))


def read_current(layout: Layout) -> Current | None:
    """Return what is being served, None before the first promotion."""
    if not Path(layout.current).exists():
        return None
    return read_document(layout.current, Current, "CURRENT")


def served_version(layout: Layout) -> IndexVersion:
    """Return the version that CURRENT names.

    Raises:
        StoreError: nothing has been promoted.
    """
    if (current := read_current(layout)) is None:
        raise StoreError(f"the store {layout.root} has no CURRENT version; run pubray index, then pubray promote")
    return read_version(layout, current.version)


def swap_current(layout: Layout, expected: Current | None, new: Current) -> None:
    """Replace CURRENT.

    Raises:
        StoreError: somebody else changed it meanwhile.
    """
    before = read_bytes(layout.current, "CURRENT") if expected else None
    if expected and Current.model_validate_json(before or b"") != expected:
        before = b""
    if not compare_and_swap(layout.current, before, new.model_dump_json(indent=1).encode()):
        raise StoreError("CURRENT was changed by somebody else meanwhile; look at pubray status and decide again")

"""Finding one's way in a store: what is there, which snapshot is the newest, which version is served."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jobs.common.console import log
from retrieval.articles.pmids import parse_pmids, selection_id
from retrieval.articles.snapshot import Snapshot, read_snapshot
from retrieval.files.atomic import compare_and_swap
from retrieval.files.checked import read_bytes, read_document
from schemas.base import digest
from schemas.config import SelectionConfig
from schemas.errors import InputError, IntegrityError, MovedError, StoreError
from schemas.layout import Layout
from schemas.manifest import Current, IndexVersion


def article_parts(layout: Layout) -> set[str]:
    """Return the names of all article parts, whether in a snapshot or not."""
    return {file.stem for file in _files(layout.article_parts, "parquet")}


def snapshots(layout: Layout) -> list[Snapshot]:
    """Return all snapshots, the newest last. Those that do not say when go by lineage and number of article parts."""
    found = (read_snapshot(file) for file in _files(layout.snapshots, "parquet"))
    return sorted(found, key=lambda s: (s.info.sequence, s.info.lineage.number, len(s.info.parts)))


def newest_snapshot(layout: Layout) -> Snapshot | None:
    """Return the newest snapshot; None before the first."""
    return next(reversed(snapshots(layout)), None)


def ingested(layout: Layout) -> Snapshot:
    """Return the newest snapshot.

    Raises:
        StoreError: nothing was ingested, or the first ingest did not finish.
    """
    if (snapshot := newest_snapshot(layout)) is None:
        raise StoreError(f"the store {layout.root} holds no snapshot of articles; run pubray ingest --source … first")
    return snapshot


def folder_sizes(layout: Layout) -> dict[str, int]:
    """Return the bytes of what takes most room."""
    folders = {"articles": layout.article_parts, "vectors": layout.vectors, "segments": layout.segments}
    return {
        name: sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        for name, folder in folders.items()
    }


def _files(folder: str, suffix: str) -> list[Path]:
    return [file for file in Path(folder).glob(f"*.{suffix}") if not file.name.startswith(".")]


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


def compacted_id(version: str) -> str:
    """Return the id of the version that `compact` makes from another: the same rows, other files."""
    return digest({"compacted": version})


def version_names(layout: Layout) -> list[str]:
    """Return the ids of all versions, whether they can be read or not."""
    return sorted(file.stem for file in _files(layout.versions, "json"))


def versions(layout: Layout) -> list[IndexVersion]:
    """Return all versions, oldest first; a line is logged for each that cannot be read, and it is left out."""
    found = []
    for manifest in _manifests(layout):
        if isinstance(manifest, IndexVersion):
            found.append(manifest)
        else:
            log(f"left out: {manifest}")
    return sorted(found, key=lambda version: (version.sequence, version.created, version.id))


def unreadable_versions(layout: Layout) -> list[str]:
    """Return why manifests cannot be read: they are damaged, or of a later pubray."""
    return [str(manifest) for manifest in _manifests(layout) if isinstance(manifest, IntegrityError)]


def _manifests(layout: Layout) -> Iterator[IndexVersion | IntegrityError]:
    for name in version_names(layout):
        try:
            yield read_version(layout, name)
        except IntegrityError as error:
            yield error
        except StoreError:  # gone since it was listed
            continue


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
        MovedError: somebody else changed it, or removed the version, meanwhile.
    """
    before = read_bytes(layout.current, "CURRENT") if expected else None
    if expected and Current.model_validate_json(before or b"") != expected:
        before = b""
    content, manifest = new.model_dump_json(indent=1).encode(), layout.version(new.version)
    if not compare_and_swap(layout.current, before, content, needed=manifest):
        raise MovedError("CURRENT was changed, or a version removed, by somebody else meanwhile; look at pubray status")

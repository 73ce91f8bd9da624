"""Finding one's way in a store: what is there, which snapshot is the newest, which version is served."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, cast

from jobs.common.console import log
from retrieval.articles.pmids import list_id, parse_pmids
from retrieval.articles.snapshot import Snapshot, read_snapshot
from retrieval.files.checked import parse_document, read_document, write_bytes
from schemas.base import digest
from schemas.config import SelectionConfig
from schemas.errors import InputError, IntegrityError, LostError, MovedError, StoreError
from schemas.layout import Layout
from schemas.manifest import Current, IndexVersion
from schemas.store import Store

Document = TypeVar("Document")
READ: ContextVar[dict[tuple[str, str], Any] | None] = ContextVar("read", default=None)
"""What the job has read that runs here and nobody else changes meanwhile, by store and key: manifests, snapshots, lists
of them, and which versions are being removed."""


def _once(store: Store, key: str, read: Callable[[], Document]) -> Document:
    if (known := READ.get()) is None:
        return read()
    if (store.root, key) not in known:
        known[store.root, key] = read()
    return cast("Document", known[store.root, key])


def wrote(store: Store, key: str) -> None:
    """Say that an object was changed, or that something came to a folder or went from it."""
    if (known := READ.get()) is not None:
        known.pop((store.root, key), None)


def article_parts(store: Store) -> set[str]:
    """Return the names of all article parts, whether in a snapshot or not."""
    return set(_names(store, Layout.article_part.folder, ".parquet"))


def snapshots(store: Store) -> list[Snapshot]:
    """Return all snapshots, the newest last. Those that do not say when go by lineage and number of article parts."""
    names = _listed(store, Layout.snapshot.folder, ".parquet")
    found = (_once(store, Layout.snapshot(name), partial(read_snapshot, store, name)) for name in names)
    return sorted(found, key=lambda s: (s.info.sequence, s.info.lineage.number, len(s.info.parts)))


def newest_snapshot(store: Store) -> Snapshot | None:
    """Return the newest snapshot; None before the first."""
    return next(reversed(snapshots(store)), None)


def ingested(store: Store) -> Snapshot:
    """Return the newest snapshot.

    Raises:
        StoreError: nothing was ingested, or the first ingest did not finish.
    """
    if (snapshot := newest_snapshot(store)) is None:
        raise StoreError(f"the store {store.root} holds no snapshot of articles; run pubray ingest --source … first")
    return snapshot


def folder_sizes(store: Store) -> dict[str, int]:
    """Return the bytes of what takes most room."""
    return {
        name: sum(one.bytes for one in store.entries(name)) for name in ("articles", "vectors", "segments", "models")
    }


def _names(store: Store, folder: str, suffix: str) -> list[str]:
    return [name.removesuffix(suffix) for name in store.names(folder) if name.endswith(suffix)]


def _listed(store: Store, folder: str, suffix: str) -> list[str]:
    """Return what `_names` does, of a folder to which this process alone adds, and says so."""
    return _once(store, folder, lambda: _names(store, folder, suffix))


def keep_selection(store: Store, config: SelectionConfig) -> str:
    """Return the selection's id; where it is a list of PMIDs, see to it that workers find that in the store."""
    if config.rule != "pmids":
        return config.rule
    if config.file is None:
        raise InputError("selection.rule = 'pmids' needs selection.file, a list of PMIDs")
    try:
        text = Path(config.file).read_text()
    except OSError as error:
        raise InputError(f"selection.file = {config.file!r}: {error.strerror}") from None
    pmids = parse_pmids(text, config.file)
    selection = list_id(pmids)
    if store.facts(key := Layout.selection(selection)) is None:
        write_bytes(store, key, pmids.tobytes())
    return selection


def read_version(store: Store, version: str) -> IndexVersion:
    """Return a version's manifest."""
    key = Layout.version(version)
    return _once(store, key, lambda: read_document(store, key, IndexVersion, f"version {version}", here=True))


def compacted_id(version: str) -> str:
    """Return the id of the version that `compact` makes from another: the same rows, other files."""
    return digest({"compacted": version})


def version_names(store: Store) -> list[str]:
    """Return the ids of all versions, whether they can be read or not, but those that `gc` is removing."""
    removing = _once(store, Layout.current, lambda: _removing(store))
    return sorted({*_listed(store, Layout.version.folder, ".json")} - {*removing})


def _removing(store: Store) -> tuple[str, ...]:
    """Return which versions `gc` is removing, which is a writer like others."""
    current = read_current(store)
    return current.removing if current else ()


def versions(store: Store) -> list[IndexVersion]:
    """Return all versions, oldest first; a line is logged for each that cannot be read, and it is left out."""
    found = []
    for manifest in _manifests(store):
        if isinstance(manifest, IndexVersion):
            found.append(manifest)
        else:
            log(f"left out: {manifest}")
    return sorted(found, key=lambda version: (version.sequence, version.created, version.id))


def unreadable_versions(store: Store) -> list[str]:
    """Return why manifests cannot be read: they are damaged, or of a later pubray."""
    return [str(manifest) for manifest in _manifests(store) if isinstance(manifest, IntegrityError)]


def _manifests(store: Store) -> Iterator[IndexVersion | IntegrityError]:
    for name in version_names(store):
        try:
            yield read_version(store, name)
        except IntegrityError as error:
            yield error
        except StoreError:  # gone since it was listed
            continue


def read_current(store: Store) -> Current | None:
    """Return what is being served, None before the first promotion."""
    content = store.read(Layout.current)
    return None if content is None else parse_document(store.name(Layout.current), content, Current)


def served_version(store: Store) -> IndexVersion:
    """Return the version that CURRENT names.

    Raises:
        StoreError: nothing has been promoted.
    """
    current = read_current(store)
    if current is None or current.version is None:
        raise StoreError(f"the store {store.root} has no CURRENT version; run pubray index, then pubray promote")
    return read_version(store, current.version)


RUNS: ContextVar[Mapping[str, str]] = ContextVar("runs", default=MappingProxyType({}))
"""Of stores, by their roots, of which another run may have become the writer: the run that this one is."""


def swap_current(store: Store, expected: Current | None, new: Current) -> None:
    """Replace CURRENT.

    Raises:
        MovedError: somebody else changed it meanwhile.
        LostError: somebody else writes by now.
    """
    _check_writer(store, expected)
    if not write_current(store, expected, new):
        raise MovedError("CURRENT was changed by somebody else meanwhile; look at pubray status")


def write_current(store: Store, expected: Current | None, new: Current) -> bool:
    """Replace CURRENT if it still is what is expected; return whether it was."""
    before = store.read(Layout.current)
    known = Current.model_validate_json(before) if before is not None else None
    wrote(store, Layout.current)
    return known == expected and store.swap(Layout.current, before, new.model_dump_json(indent=1).encode())


def remove(store: Store, key: str) -> None:
    """Remove an object or a folder; LostError: somebody else writes by now, and may be using it."""
    if store.root in RUNS.get():
        _check_writer(store, read_current(store))
    store.remove(key)
    wrote(store, key.rpartition("/")[0])


def _check_writer(store: Store, current: Current | None) -> None:
    run = RUNS.get().get(store.root)
    if run and (current is None or current.writer != run):
        raise LostError(f"store {store.root}: another run has become the one who writes; nothing more is changed")


def change_current(store: Store, change: Callable[[Current], Current]) -> None:
    """Replace CURRENT, if there is one and it is other than it should be, by what `change` makes of it."""
    while (current := read_current(store)) and (new := change(current)) != current:
        with suppress(MovedError):
            swap_current(store, current, new)
            break

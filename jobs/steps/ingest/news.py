"""What a source has that the store does not."""

from functools import partial
from typing import NamedTuple

from jobs.steps.ingest.source_files import Origin
from retrieval.articles.known_parts import KnownParts
from retrieval.articles.snapshot import Snapshot
from retrieval.files.checked import file_digest
from retrieval.ingest.lineage import next_lineage
from retrieval.ingest.sources import other_content, plain_name, source_name
from schemas.errors import UsageError
from schemas.snapshot import Lineage
from schemas.store import Store


class News(NamedTuple):
    """What is new, and what becomes of it."""

    names: list[str]
    """Of all source files, in file order."""
    lineage: Lineage
    left_out: set[str]
    """Names of those that somebody wants left out."""
    missing: list[str]
    """Keys of those that have no article part, and are to have one."""
    changed: list[str]
    """What is to be said of those that are not what theirs was read from."""


def news(
    store: Store, origin: Origin, previous: Snapshot | None, *, without: str | None, with_file: str | None
) -> News:
    """Return what an origin has that is new.

    Raises:
        UsageError: a file that is to be left out, or taken in again, is nowhere.
        InputError: the baseline is not whole or an older one, or files that must not be mixed would be.
    """
    names = [source_name(file) for file in origin.files]
    whole = None if origin.baseline is None else [source_name(file) for file in origin.baseline]
    lineage = next_lineage(previous.info if previous else None, whole, names)
    there = KnownParts(store, previous)
    left_out = _left_out(previous, lineage, {*names, *there.names}, without=without, with_file=with_file)
    wanted = [file for file in origin.files if source_name(file) not in left_out]
    return News(names, lineage, left_out, *_missing(there, origin, wanted))


def _left_out(
    previous: Snapshot | None, lineage: Lineage, known: set[str], *, without: str | None, with_file: str | None
) -> set[str]:
    """Return the names of the source files that are left out: as before in this lineage, and as is wanted now.

    Raises:
        UsageError: there is no such file.
    """
    names = set(previous.info.left_out) if previous and previous.info.lineage == lineage else set[str]()
    for option, file in (("--without", without), ("--with", with_file)):
        # What is to come back must be there; what is to stay away may have gone already.
        if file and (name := plain_name(file)) not in (known if option == "--with" else known | names):
            raise UsageError(f"{option} {file}: neither the store nor the source has such a file")
        if file:
            names = names | {name} if option == "--without" else names - {name}
    return names


def _missing(there: KnownParts, origin: Origin, files: list[str]) -> tuple[list[str], list[str]]:
    """Return the files without an article part, and what is to be said of those that are not what theirs was read from.

    Parts are immutable.
    """
    missing, changed = [], []
    for file in files:
        name, found = source_name(file), origin.found.get(file)
        if name not in there.names:
            missing.append(file)
        elif found and (why := other_content(found, there.file(name).source, partial(_sha256, origin.store, file))):
            path = origin.store.name(file)
            changed.append(f"{path}: {why} than the file of this name that was ingested before; give it another name")
    return missing, changed


def _sha256(store: Store, key: str) -> str:
    return file_digest(store.local(key)).sha256

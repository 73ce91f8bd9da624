"""Remove what no kept version names: old versions, their segments, vectors and articles, leftovers of crashes.

Kept are CURRENT, the versions served before it, those that wait to be promoted, and whatever is younger than the grace
period. Source files and reports of runs are left alone.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated

from actors.store.stores import open_store
from jobs.common.console import megabytes, table
from jobs.common.options import Option
from jobs.common.store import (
    change_current,
    read_current,
    read_version,
    snapshots,
    swap_current,
    unreadable_versions,
    versions,
)
from jobs.common.writer import writing
from retrieval.files.checked import read_document
from retrieval.operate.garbage import ORDER, Contents, Entry, Limits, garbage, served_versions, why_all_stays
from schemas.config import Config
from schemas.errors import MovedError, StoreError, UsageError
from schemas.layout import FileKind, key_of, kind_of
from schemas.manifest import Current, IndexVersion, QuantizerRecord
from schemas.report import GcReport, Removed
from schemas.store import Store, Stored

HOUR, DAY = 3600, 86_400
GRACE = Option("nothing younger is removed; default 24", metavar="HOURS")
UNPROMOTED = Option("nor is a version that was never promoted, until it is so old; default 30", metavar="DAYS")


def run(
    config: Config,
    *,
    keep: Annotated[int, Option("versions before CURRENT to keep; default 3", metavar="N")] = 3,
    grace: Annotated[float, GRACE] = 24,
    unpromoted: Annotated[float, UNPROMOTED] = 30,
    dry_run: Annotated[bool, Option("remove nothing, tell what would be")] = False,
) -> GcReport:
    """Remove it, and return how many and how many bytes of each kind.

    Raises:
        UsageError: a number is below 0.
        StoreError: there is no store, or another job is writing.
    """
    if keep < 0 or not grace >= 0 or not unpromoted >= 0:
        raise UsageError(f"--keep {keep} --grace {grace:g} --unpromoted {unpromoted:g}: give 0 or more")
    store, limits = open_store(config), Limits(keep, grace * HOUR, unpromoted * DAY)
    if not any(store.names("")):
        raise StoreError(f"the store {store.root} does not exist; give the one to clean")
    with writing(config, "gc"):
        contents, doomed = _decided(store, limits, dry_run=dry_run)
        # Manifests go last: they say whose vectors these are, should this be stopped.
        for entry in [] if dry_run else sorted(doomed, key=lambda entry: entry.kind == "versions"):
            store.remove(entry.key)
        if not dry_run:
            change_current(store, lambda current: current.model_copy(update={"removing": ()}))
    removed = {e.name for e in doomed if e.kind == "versions"}
    kept = [v.id for v in contents.versions if v.id not in removed]
    served = served_versions(contents.current, kept, keep)
    return GcReport(
        dry_run=dry_run,
        kept_versions=tuple(kept),
        kept_by_grace=tuple(v for v in kept if v not in served),
        removed={kind: _removed(found) for kind in ORDER if (found := [e for e in doomed if e.kind == kind])},
        bytes=sum(e.bytes for e in doomed),
        all_stays=why_all_stays(contents),
    )


def show(report: GcReport) -> str:
    done = "would be removed" if report.dry_run else "removed"
    head = f"{megabytes(report.bytes)} {done}; versions kept: {', '.join(report.kept_versions) or 'none'}"
    if report.all_stays:
        head += f"; all but temporary files stays, for {report.all_stays}"
    rows = [[kind, found.count, megabytes(found.bytes)] for kind, found in report.removed.items()]
    return f"{head}\n{table([done, 'count', 'bytes'], rows)}" if rows else head


def _decided(store: Store, limits: Limits, *, dry_run: bool) -> tuple[Contents, list[Entry]]:
    """Return what there is, and what is to go; CURRENT then says which versions these are, so that it moves to none."""
    while True:
        contents = contents_of(store)
        doomed = garbage(contents, limits)
        going = tuple(entry.name for entry in doomed if entry.kind == "versions")
        if dry_run or contents.current is None or contents.current.removing == going:
            return contents, doomed
        with suppress(MovedError):
            swap_current(store, contents.current, contents.current.model_copy(update={"removing": going}))
            return contents, doomed


def contents_of(store: Store) -> Contents:
    """Return what the store holds now."""
    current, made = read_current(store), versions(store)
    entries = list(_entries(store))
    records = [e for e in entries if e.kind == "quantizer records"]
    spaces = {f"{v.fingerprint}/{v.selection}" for v in [*made, *_being_removed(store, current)]}
    return Contents(
        entries=list(_since_made(entries, made, store.now())),
        current=current,
        versions=made,
        unreadable=unreadable_versions(store),
        spaces=frozenset(spaces),
        snapshots={snapshot.id: snapshot.info for snapshot in snapshots(store)},
        quantizers={r.name: read_document(store, r.key, QuantizerRecord, "quantizer record").sha256 for r in records},
    )


def _being_removed(store: Store, current: Current | None) -> Iterator[IndexVersion]:
    """Yield the manifests of versions that a run that was stopped did not come to remove."""
    for name in current.removing if current else ():
        with suppress(StoreError):
            yield read_version(store, name)


def _removed(found: list[Entry]) -> Removed:
    return Removed(count=len(found), bytes=sum(e.bytes for e in found), names=tuple(e.name for e in found))


def _since_made(entries: list[Entry], made: list[IndexVersion], now: int) -> Iterator[Entry]:
    """Yield the entries; manifests say when they were made, which the files of a copied store do not."""
    ages = {v.id: now / 1e9 - datetime.datetime.fromisoformat(v.created).timestamp() for v in made}
    for entry in entries:
        made_ago = ages.get(entry.name, entry.age) if entry.kind == "versions" else entry.age
        yield entry._replace(age=min(entry.age, made_ago))


def _entries(store: Store) -> Iterator[Entry]:
    """Yield what is written once, and what processes that died left of what they were writing."""
    now, found = store.now(), defaultdict[tuple[FileKind, str], list[Stored]](list)
    for one in store.entries(""):
        if (of := kind_of(one.key)) is not None:
            found[of].append(one)
    for one in store.unfinished():
        found["temporary", one.key].append(one)
    for (kind, name), objects in found.items():
        age = (now - max(one.modified for one in objects)) / 1e9
        yield Entry(kind, name, key_of(kind, name), sum(one.bytes for one in objects), age)

"""Remove what no kept version names: old versions, their segments, vectors and articles, leftovers of crashes.

Kept are CURRENT, the versions served before it, those that wait to be promoted, and whatever is younger than the grace
period. Source files and reports of runs are left alone.
"""

import datetime
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import ValidationError

from jobs.common.console import megabytes, table
from jobs.common.options import Option
from jobs.common.store import read_current, snapshots, unreadable_versions, versions
from jobs.common.writer import writing
from retrieval.files.atomic import hide, locked, remove
from retrieval.files.checked import read_document
from retrieval.operate.garbage import ORDER, Contents, Entry, Limits, garbage, served_versions, why_all_stays
from schemas.config import Config
from schemas.errors import StoreError, UsageError
from schemas.layout import PLACES, UNFINISHED, FileKind, Layout
from schemas.manifest import IndexVersion, QuantizerRecord
from schemas.report import GcReport, Removed

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
    layout, limits = Layout(config.store), Limits(keep, grace * HOUR, unpromoted * DAY)
    if not Path(layout.root).is_dir():
        raise StoreError(f"the store {layout.root} does not exist; give the one to clean")
    with writing(config, "gc"):
        contents = contents_of(layout, time.time())
        # From here on CURRENT moves to none of what is doomed: what becomes CURRENT must have its manifest.
        with locked(layout.current):
            contents = contents._replace(current=read_current(layout))
            doomed = garbage(contents, limits)
            hidden = [] if dry_run else [hide(entry.path) for entry in doomed if entry.kind == "versions"]
        # The hidden manifests go last: they say whose vectors these are, should this be stopped.
        for path in [] if dry_run else [*(entry.path for entry in doomed if entry.kind != "versions"), *hidden]:
            remove(path)
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


def contents_of(layout: Layout, now: float) -> Contents:
    """Return what the store holds at a time, in seconds since 1970."""
    made = versions(layout)
    entries = list(_entries(Path(layout.root), now))
    records = [e for e in entries if e.kind == "quantizer records"]
    spaces = {f"{v.fingerprint}/{v.selection}" for v in [*made, *_being_removed(layout)]}
    return Contents(
        entries=list(_since_made(entries, made, now)),
        current=read_current(layout),
        versions=made,
        unreadable=unreadable_versions(layout),
        spaces=frozenset(spaces),
        snapshots={snapshot.id: snapshot.info for snapshot in snapshots(layout)},
        quantizers={r.name: read_document(r.path, QuantizerRecord, "quantizer record").sha256 for r in records},
    )


def _being_removed(layout: Layout) -> Iterator[IndexVersion]:
    """Yield the manifests that a run that was stopped has hidden."""
    for path in Path(layout.version("")).parent.glob(".*.json.*.tmp"):
        with suppress(ValidationError, OSError):  # one that was never whole
            yield IndexVersion.model_validate_json(path.read_bytes())


def _removed(found: list[Entry]) -> Removed:
    return Removed(count=len(found), bytes=sum(e.bytes for e in found), names=tuple(e.name for e in found))


def _since_made(entries: list[Entry], made: list[IndexVersion], now: float) -> Iterator[Entry]:
    """Yield the entries; manifests say when they were made, which the files of a copied store do not."""
    ages = {v.id: now - datetime.datetime.fromisoformat(v.created).timestamp() for v in made}
    for entry in entries:
        if entry.kind != "versions":
            yield entry
        elif entry.name in ages:  # not one that was committed since
            yield entry._replace(age=min(entry.age, ages[entry.name]))


def _entries(root: Path, now: float) -> Iterator[Entry]:
    """Yield what is written once, and what processes that died left beside what they were writing."""
    for kind, place in PLACES.items():
        folder, _, names = place.partition("/")
        for path in (root / folder).glob(re.sub("<.*?>", "*", names)):
            if not path.name.startswith("."):
                name = path.relative_to(root / folder).as_posix().removesuffix(names.rpartition(">")[2])
                yield _entry(kind, name, path, now)
    for pattern in UNFINISHED:
        for path in root.glob(pattern):
            yield _entry("temporary", path.relative_to(root).as_posix(), path, now)


def _entry(kind: FileKind, name: str, path: Path, now: float) -> Entry:
    """Return an entry; what is being written may be renamed before it is looked at, and is young."""
    stats = []
    for each in [path, *path.rglob("*")]:
        with suppress(FileNotFoundError):
            stats.append(each.stat())
    written = max((s.st_mtime for s in stats), default=now)
    return Entry(kind, name, str(path), sum(s.st_size for s in stats), now - written)

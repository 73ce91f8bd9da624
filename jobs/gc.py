"""Remove what no kept version names: old versions, their segments, vectors and articles, leftovers of crashes.

Kept are CURRENT, the versions served before it, and whatever is younger than the grace period, which must be longer
than the longest build: a build is not seen before it commits. Source files and reports of runs are left alone.
"""

import datetime
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from jobs.common.console import megabytes, table
from jobs.common.options import Option
from jobs.common.store import read_current, snapshots, versions
from jobs.common.writer import writing
from retrieval.files.atomic import remove
from retrieval.files.checked import read_document
from retrieval.operate.garbage import ORDER, Contents, Entry, garbage, served_versions
from schemas.config import Config
from schemas.errors import StoreError, UsageError
from schemas.layout import PLACES, UNFINISHED, FileKind, Layout
from schemas.manifest import IndexVersion, QuantizerRecord
from schemas.report import GcReport, Removed

HOUR = 3600
GRACE = Option("nothing younger is removed; longer than any build takes; default 24", metavar="HOURS")


def run(
    config: Config,
    *,
    keep: Annotated[int, Option("versions before CURRENT to keep; default 3", metavar="N")] = 3,
    grace: Annotated[float, GRACE] = 24,
    dry_run: Annotated[bool, Option("remove nothing, tell what would be")] = False,
) -> GcReport:
    """Remove it, and return how many and how many bytes of each kind; `grace` is in hours.

    Raises:
        UsageError: a number is below 0.
        StoreError: there is no store, another job is writing, or CURRENT was changed meanwhile.
    """
    if keep < 0 or not grace >= 0:
        raise UsageError(f"--keep {keep} --grace {grace:g}: give 0 or more")
    layout = Layout(config.store)
    if not Path(layout.root).is_dir():
        raise StoreError(f"the store {layout.root} does not exist; give the one to clean")
    with writing(config, "gc"):
        contents = contents_of(layout, time.time())
        doomed = garbage(contents, keep=keep, grace=grace * HOUR)
        if not dry_run:
            if read_current(layout) != contents.current:
                raise StoreError(
                    "CURRENT was changed by somebody else meanwhile, nothing was removed; run pubray gc again"
                )
            for entry in doomed:
                remove(entry.path)
    removed = {e.name for e in doomed if e.kind == "versions"}
    kept = [v.id for v in contents.versions if v.id not in removed]
    served = served_versions(contents.current, kept, keep)
    return GcReport(
        dry_run=dry_run,
        kept_versions=tuple(kept),
        kept_by_grace=tuple(v for v in kept if v not in served),
        removed={kind: _removed(found) for kind in ORDER if (found := [e for e in doomed if e.kind == kind])},
        bytes=sum(e.bytes for e in doomed),
    )


def show(report: GcReport) -> str:
    done = "would be removed" if report.dry_run else "removed"
    head = f"{megabytes(report.bytes)} {done}; versions kept: {', '.join(report.kept_versions) or 'none'}"
    rows = [[kind, found.count, megabytes(found.bytes)] for kind, found in report.removed.items()]
    return f"{head}\n{table([done, 'count', 'bytes'], rows)}" if rows else head


def contents_of(layout: Layout, now: float) -> Contents:
    """Return what the store holds at a time, in seconds since 1970."""
    made = versions(layout)
    entries = list(_entries(Path(layout.root), now))
    records = [e for e in entries if e.kind == "quantizer records"]
    return Contents(
        entries=list(_since_made(entries, made, now)),
        current=read_current(layout),
        versions=made,
        snapshots={snapshot.id: snapshot.info for snapshot in snapshots(layout)},
        quantizers={r.name: read_document(r.path, QuantizerRecord, "quantizer record").sha256 for r in records},
    )


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

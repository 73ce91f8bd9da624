"""Remove what no kept version names: old versions, their segments, vectors and articles, leftovers of crashes.

Kept are CURRENT, the versions served before it, those that wait to be promoted, and whatever is younger than the grace
period. Source files and reports of runs are left alone.
"""

from contextlib import nullcontext, suppress
from typing import Annotated

from actors.store.stores import open_store
from jobs.common.console import megabytes, table
from jobs.common.contents import contents_of
from jobs.common.options import Option
from jobs.common.store import change_current, remove, swap_current
from jobs.common.writer import writing
from retrieval.operate.garbage import ORDER, Contents, Entry, Limits, garbage, served_versions, why_all_stays
from schemas.config import Config
from schemas.errors import MovedError, StoreError, UsageError
from schemas.report import GcReport, Removed
from schemas.store import Store

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
    with nullcontext() if dry_run else writing(config, "gc"):
        contents, doomed = _decided(store, limits, dry_run=dry_run)
        gone = {entry.name for entry in doomed if entry.kind == "versions"}
        if not dry_run:
            # Nobody looks at these manifests any more, and they say whose the rest is, should this be stopped.
            for entry in sorted(doomed, key=lambda entry: entry.kind == "versions"):
                remove(store, entry.key)
            change_current(store, lambda current: current.removes_no_more(gone))
    kept = [v.id for v in contents.versions if v.id not in gone]
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
    """Return what there is, and what is to go; CURRENT then says which versions these are, so that it moves to none.

    It is changed though none goes: who looked at it before, and is to promote a version, has to look again.
    """
    while True:
        contents = contents_of(store)
        doomed = garbage(contents, limits)
        if dry_run or (current := contents.current) is None:
            return contents, doomed
        there = {entry.name for entry in contents.entries if entry.kind == "versions"}
        begun = [name for name in current.removing if name in there]  # which stay if all stays
        going = dict.fromkeys([*begun, *(entry.name for entry in doomed if entry.kind == "versions")])
        with suppress(MovedError):
            swap_current(store, current, current.removes(tuple(going)))
            return contents, doomed


def _removed(found: list[Entry]) -> Removed:
    return Removed(count=len(found), bytes=sum(e.bytes for e in found), names=tuple(e.name for e in found))

"""Lineages: to which baseline source files belong, and which of them make the next snapshot."""

from collections.abc import Iterable, Mapping, Sequence

from retrieval.articles.snapshot import Snapshot
from retrieval.ingest.ncbi import check_baseline
from retrieval.ingest.sources import is_pubmed, source_order
from schemas.errors import InputError, StoreError
from schemas.snapshot import Lineage, SnapshotCounts, SnapshotInfo


def next_lineage(previous: SnapshotInfo | None, baseline: Sequence[str] | None, names: Iterable[str]) -> Lineage:
    """Return the lineage that source files continue or begin.

    previous: the newest snapshot. baseline: the source names of a whole baseline, if one is given: then these alone
    begin a lineage, unless they are that of `previous`. names: those of all files given.

    Raises:
        InputError: the baseline is not whole or an older one, or files that must not be mixed would be.
    """
    if baseline is not None:
        return _begin(previous, baseline)
    if previous is None:
        return Lineage(number=0)
    _check_continues(previous, names)
    return previous.lineage


def parts_in_order(previous: SnapshotInfo | None, lineage: Lineage, names: Iterable[str]) -> list[str]:
    """Return the names of the article parts of the next snapshot, in file order.

    What is there keeps its place, and what comes is behind it, those that come together in order of their names: a
    name says nothing of when a file was made, but for PubMed's. Of those one that comes late is before what follows it.
    """
    order = [part.name for part in previous.parts] if previous and previous.lineage == lineage else []
    for name in sorted(set(names).difference(order), key=source_order):
        later = (i for i, other in enumerate(order) if is_pubmed(other) and source_order(other) > source_order(name))
        order.insert(next(later, len(order)) if is_pubmed(name) else len(order), name)
    return order


def pending_parts(previous: SnapshotInfo | None, lineage: Lineage, unused: Mapping[str, int | None]) -> list[str]:
    """Return which article parts belong to the next snapshot though nobody gives their files: a run that failed left
    them.

    unused: the names of those that were never in a snapshot nor left out, and the number of the lineage that each was
    read for. Those of another one are not taken up: of a baseline that was refused, or of the one before. Where the
    number is not known, PubMed's names have the year.
    """
    if previous is not None and previous.lineage != lineage:
        return []
    year = _newest_year([*(part.name for part in previous.parts), *lineage.baseline] if previous else [])

    def belongs(name: str, number: int | None) -> bool:
        if number is not None:
            return number == lineage.number
        return not is_pubmed(name) or year is None or source_order(name)[1] == year

    return sorted((name for name, number in unused.items() if belongs(name, number)), key=source_order)


def line_of_descent(found: Sequence[Snapshot]) -> list[SnapshotInfo]:
    """Return the last of some snapshots, the one that it followed, and so on, as far as they are there."""
    by_id, line = {snapshot.id: snapshot.info for snapshot in found}, list[SnapshotInfo]()
    name = found[-1].id if found else None
    while name and (info := by_id.pop(name, None)):
        line.append(info)
        name = info.previous
    return line


def gaps(info: SnapshotInfo) -> tuple[str, ...]:
    """Return the names of PubMed's update files that are missing between a baseline and the last update there is."""
    baseline = info.lineage.baseline
    if not baseline or not is_pubmed(baseline[-1]):
        return ()
    _, year, last, _ = source_order(baseline[-1])
    there = {source_order(n)[1:3] for n in [*(part.name for part in info.parts), *info.left_out] if is_pubmed(n)}
    newest = max((number for its_year, number in there if its_year == year), default=last)
    return tuple(f"pubmed{year:02}n{n:04}" for n in range(last + 1, newest) if (year, n) not in there)


def check_vanished(previous: SnapshotInfo | None, lineage: Lineage, most: float, counts: SnapshotCounts) -> None:
    """Refuse (StoreError) a lineage that lacks more than the share `most` of the previous one's articles."""
    if previous is None or previous.lineage == lineage:
        return
    share = counts.deleted / max(previous.counts.alive, 1)
    if share > most:
        setting = f"--set ingest.max_vanished={min(1, share + 0.001):.3f}"
        raise StoreError(
            f"the new baseline lacks {counts.deleted:,} of {previous.counts.alive:,} articles ({share:.1%}), allowed "
            f"are {most:.1%}; if that is right, run again with {setting}"
        )


def _begin(previous: SnapshotInfo | None, baseline: Sequence[str]) -> Lineage:
    names = tuple(sorted(baseline, key=source_order))
    if any(is_pubmed(name) for name in names):
        check_baseline(names)
    if previous is None:
        return Lineage(number=0, baseline=names)
    if previous.lineage.baseline == names:
        return previous.lineage
    if source_order(names[0]) < source_order(previous.parts[0].name):
        raise InputError(
            f"the baseline that begins with {names[0]} is older than what is in use, from {previous.parts[0].name}; "
            "go back with pubray rollback, or use another store"
        )
    return Lineage(number=previous.lineage.number + 1, baseline=names)


def _check_continues(previous: SnapshotInfo, names: Iterable[str]) -> None:
    """Refuse what would turn a baseline into updates of another: what it lacks would never be deleted."""
    known = {part.name for part in previous.parts}
    year = _newest_year(known)
    for name in sorted(set(names) - known, key=source_order):
        _, its_year, number, _ = source_order(name)
        if year is not None and is_pubmed(name) and its_year > year and number == 1:
            raise InputError(
                f"{name} begins a new year's baseline, the store is at {max(known, key=source_order)}; "
                "ingest its folder with --baseline, or leave it out"
            )
        last = previous.lineage.baseline[-1] if previous.lineage.baseline else ""
        if is_pubmed(name) and is_pubmed(last) and source_order(name) < source_order(last):
            raise InputError(f"{name} comes before the end of the baseline, {last}; leave it out")


def _newest_year(names: Iterable[str]) -> int | None:
    return max((source_order(name)[1] for name in names if is_pubmed(name)), default=None)

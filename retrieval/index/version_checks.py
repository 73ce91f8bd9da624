"""Checks of a version: its live rows against its snapshot and the version before."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retrieval.articles.pmids import find_among, pmid_classes, population
from retrieval.articles.snapshot import Snapshot, key_groups
from retrieval.index.segment import OpenSegment
from retrieval.rows.row_numbers import rows_of
from schemas.arrays import Pmids, RowNumbers
from schemas.errors import RowsError
from schemas.manifest import IndexVersion, Population
from schemas.store import Store


class RowChecks(NamedTuple):
    """What is known of a version's rows."""

    imbalance: float
    """Of its lists."""
    removed: int
    """Articles of its parent that it lacks."""


def dead_rows(segment: OpenSegment, outdated: Pmids) -> RowNumbers:
    """Return the rows of a segment that are dead, and those of outdated PMIDs, in any order and here or not."""
    rows = rows_of(segment.pmids, segment.pmid_order, outdated)
    return np.union1d(np.flatnonzero(~segment.live), rows[rows >= 0])


def imbalance(segments: Sequence[OpenSegment]) -> float:
    """Return FAISS's imbalance factor of the lists, over all segments: 1 where all are of equal length."""
    sizes: NDArray[np.float64] = np.sum([s.sizes for s in segments], axis=0, dtype=np.float64)
    return float(len(sizes) * (sizes**2).sum() / sizes.sum() ** 2)


def live_population(segments: Sequence[OpenSegment]) -> Population:
    """Return which articles are live; one that is live twice counts twice."""
    return sum((population(segment.pmids[segment.live]) for segment in segments), Population())


def check_live(store: Store, version: IndexVersion, segments: Sequence[OpenSegment], snapshot: Snapshot) -> None:
    """Check that every live PMID is live once, alive in the snapshot, and that together they are `version.population`.

    Memory: 100 bytes a row of a class.

    Raises:
        RowsError: it is not so.
    """
    live = live_population(segments)
    for class_ in pmid_classes(live.articles):
        pmids = np.sort(np.concatenate([p[class_.holds(p)] for p in (s.pmids[s.live] for s in segments)]))
        if len(twice := pmids[1:][pmids[1:] == pmids[:-1]]):
            raise RowsError(f"version {version.id} has PMID {twice[0]} twice; run pubray index again")
        found = np.zeros(len(pmids), bool)
        for group in key_groups(store, snapshot, ["pmid"]):
            theirs = group["pmid"].to_numpy()
            _, slots = find_among(pmids, theirs[class_.holds(theirs)])
            found[slots] = True
        if len(strange := pmids[~found]):
            raise RowsError(f"version {version.id} has PMID {strange[0]}, which is not alive; run pubray index again")
    if live != version.population or live.articles != version.articles:
        wanted = version.population.articles if version.population else version.articles
        raise RowsError(
            f"version {version.id} has {live.articles} articles, and not the {wanted} that are alive and selected; "
            "run pubray index again"
        )


def count_removed(before: Sequence[OpenSegment], after: Sequence[OpenSegment]) -> int:
    """Return how many articles are live before and not after. Of a segment of both, only what changed is read."""
    gone, came = live_in_one(before, after), live_in_one(after, before)
    removed = 0
    for class_ in pmid_classes(sum(map(len, gone)) + sum(map(len, came))):
        was, is_ = (np.concatenate([p[class_.holds(p)] for p in each]) for each in (gone, came))
        removed += len(np.setdiff1d(was, is_))
    return removed


def live_in_one(segments: Sequence[OpenSegment], others: Sequence[OpenSegment]) -> list[Pmids]:
    """Return the PMIDs of rows that are live in segments, and not live in the same segment among the others."""
    elsewhere = {other.manifest.id: other.live for other in others}
    found = [np.empty(0, np.int64)]
    for segment in segments:
        live = segment.live & ~elsewhere.get(segment.manifest.id, np.zeros(1, bool))
        found.append(segment.pmids[live])
    return found

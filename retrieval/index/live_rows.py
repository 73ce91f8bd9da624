"""Checks of a version's live rows: against its snapshot, and against the version before."""

from collections.abc import Sequence

import numpy as np

from retrieval.articles.pmids import find_among, pmid_classes
from retrieval.articles.snapshot import Snapshot, key_groups
from retrieval.index.segment import OpenSegment
from schemas.arrays import Pmids
from schemas.errors import StoreError
from schemas.manifest import IndexVersion


def check_live(version: IndexVersion, segments: Sequence[OpenSegment], snapshot: Snapshot) -> None:
    """Check that every live PMID is live once, and is one of the snapshot. Memory: 100 bytes a row of a class.

    Raises:
        StoreError: it is not, or there are more or fewer than the version says.
    """
    live = sum(segment.live_rows for segment in segments)
    if live != version.articles:
        raise StoreError(f"version {version.id} has {live} live rows, {version.articles} were expected; make it anew")
    for class_ in pmid_classes(live):
        pmids = np.sort(np.concatenate([p[class_.holds(p)] for p in (s.pmids[s.live] for s in segments)]))
        if len(twice := pmids[1:][pmids[1:] == pmids[:-1]]):
            raise StoreError(f"version {version.id} has PMID {twice[0]} twice; make it anew with pubray index --full")
        found = np.zeros(len(pmids), bool)
        for group in key_groups(snapshot, ["pmid"]):
            theirs = group["pmid"].to_numpy()
            _, slots = find_among(pmids, theirs[class_.holds(theirs)])
            found[slots] = True
        if len(strange := pmids[~found]):
            raise StoreError(
                f"version {version.id} has PMID {strange[0]}, which is not alive; make it anew with pubray index --full"
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

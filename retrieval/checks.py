"""Checks of a version's rows against its snapshot."""

from collections.abc import Sequence

import numpy as np

from retrieval.segment import OpenSegment
from retrieval.snapshot import CLASS_ROWS, Snapshot, key_groups
from retrieval.topk import Pmids
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
    classes = max(1, -(-live // CLASS_ROWS))
    for class_ in range(classes):
        pmids = np.sort(np.concatenate([_of_class(s.pmids[s.live], class_, classes) for s in segments]))
        if len(twice := pmids[1:][pmids[1:] == pmids[:-1]]):
            raise StoreError(f"version {version.id} has PMID {twice[0]} twice; make it anew with pubray index --full")
        found = np.zeros(len(pmids), bool)
        for group in key_groups(snapshot, ["pmid"]):
            theirs = _of_class(group["pmid"].to_numpy(), class_, classes)
            slots = np.searchsorted(pmids, theirs)
            found[slots[pmids.take(slots, mode="clip") == theirs] if len(pmids) else []] = True
        if len(strange := pmids[~found]):
            raise StoreError(
                f"version {version.id} has PMID {strange[0]}, which is not alive; make it anew with pubray index --full"
            )


def _of_class(pmids: Pmids, class_: int, classes: int) -> Pmids:
    return pmids[pmids % classes == class_]

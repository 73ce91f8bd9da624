"""What changed between two snapshots: the rows that an index of the old one lacks, and its articles that are outdated.

Snapshots are compared in classes of PMIDs (pmid modulo their number), so memory does not grow with them: 50 bytes a
key of one class, and what is returned.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retrieval.articles.pmids import PmidClass, find_among, pmid_classes
from retrieval.articles.replay import KEY_FIELDS, Records, records_of
from retrieval.articles.snapshot import Snapshot, key_groups
from schemas.arrays import Pmids

COLUMNS = ["pmid", "part", "row", "record_hash"]
KEYS = np.dtype([field for field in KEY_FIELDS if field[0] in COLUMNS])


class SnapshotDifference(NamedTuple):
    """From one snapshot to another."""

    parts: NDArray[np.int32]
    """Of the rows whose record was not alive before: the number of their article part in the new snapshot …"""
    rows: NDArray[np.int32]
    """… and their row in it; in order of (part, row)."""
    outdated: Pmids
    """Those whose record is not alive any more, sorted: removed, or replaced by one of `rows`."""

    def within(self, part: int, start: int, stop: int) -> NDArray[np.int32]:
        """Return the changed rows [start, stop) of a part."""
        rows = self.rows[slice(*np.searchsorted(self.parts, [part, part + 1]))]
        return rows[slice(*np.searchsorted(rows, [start, stop]))]


def compare_snapshots(old: Snapshot, new: Snapshot) -> SnapshotDifference:
    """Compare what is alive in two snapshots, of one lineage or of two. Records with equal hashes are the same.

    Raises:
        IntegrityError: a snapshot is truncated, or a page of it flipped.
    """
    classes = pmid_classes(max(s.info.counts.alive for s in (old, new)))
    found = [_difference_of_class(old, new, class_) for class_ in classes]
    added = np.concatenate([rows for rows, _ in found])
    added.sort(order=["part", "row"])
    outdated = np.sort(np.concatenate([pmids for _, pmids in found]))
    return SnapshotDifference(added["part"].copy(), added["row"].copy(), outdated)


def _difference_of_class(old: Snapshot, new: Snapshot, class_: PmidClass) -> tuple[Records, Pmids]:
    before, after = (_keys(snapshot, class_) for snapshot in (old, new))
    found, slots = find_among(before["pmid"], after["pmid"])
    same = before["record_hash"][slots] == after["record_hash"][found]
    return np.delete(after, found[same]), np.delete(before["pmid"], slots[same])


def _keys(snapshot: Snapshot, class_: PmidClass) -> Records:
    """Return the keys of a class, in order of PMID."""
    parts = [np.empty(0, KEYS)]
    for group in key_groups(snapshot, COLUMNS):
        parts.append(records_of(group, np.flatnonzero(class_.holds(group["pmid"].to_numpy())), KEYS))
    keys = np.concatenate(parts)
    return keys[np.argsort(keys["pmid"])]

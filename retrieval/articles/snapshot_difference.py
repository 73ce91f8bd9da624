"""What changed between two snapshots: the rows that an index of the old one lacks, and its articles that are outdated.

Snapshots are compared in classes of PMIDs (pmid modulo their number), so memory does not grow with them: 50 bytes a
key of one class, and what is returned.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retrieval.articles.snapshot import CLASS_ROWS, Snapshot, key_groups
from schemas.arrays import Pmids

KeyRows = NDArray[np.void]


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
    classes = max(1, -(-max(s.info.counts.alive for s in (old, new)) // CLASS_ROWS))
    found = [_difference_of_class(old, new, class_, classes) for class_ in range(classes)]
    added = np.concatenate([rows for rows, _ in found])
    added.sort(order=["part", "row"])
    outdated = np.sort(np.concatenate([pmids for _, pmids in found]))
    return SnapshotDifference(added["part"].copy(), added["row"].copy(), outdated)


def _difference_of_class(old: Snapshot, new: Snapshot, class_: int, classes: int) -> tuple[KeyRows, Pmids]:
    before, after = (_keys(snapshot, class_, classes) for snapshot in (old, new))
    slots = np.searchsorted(before["pmid"], after["pmid"])
    known = slots < len(before)
    known[known] = before[slots[known]][["pmid", "record_hash"]] == after[known][["pmid", "record_hash"]]
    stays = np.zeros(len(before), bool)
    stays[slots[known]] = True
    return after[~known], before["pmid"][~stays]


def _keys(snapshot: Snapshot, class_: int, classes: int) -> KeyRows:
    """Return the keys of a class, in order of PMID."""
    columns = ["pmid", "part", "row", "record_hash"]
    kinds = np.dtype([("pmid", "i8"), ("part", "i4"), ("row", "i4"), ("record_hash", "u8")])
    parts = [np.empty(0, kinds)]
    for group in key_groups(snapshot, columns):
        chosen = np.flatnonzero(group["pmid"].to_numpy() % classes == class_)
        keys = np.empty(len(chosen), kinds)
        for name in columns:
            keys[name] = group[name].to_numpy()[chosen]
        parts.append(keys)
    keys = np.concatenate(parts)
    return keys[np.argsort(keys["pmid"])]

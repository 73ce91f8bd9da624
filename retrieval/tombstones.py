"""Tombstones: the rows of a segment that a later segment replaces or a deletion removes.

One file holds those of one segment in one version, as sorted uint32 row numbers; its sha256 is its name.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from retrieval.storage import read_named, write_named
from retrieval.topk import Pmids
from schemas.manifest import Tombstones

RowNumbers = NDArray[np.int64]


def write_tombstones(path: Callable[[str], str], rows: RowNumbers) -> Tombstones:
    """Store row numbers, in any order, under the path of their sha256."""
    numbers = np.unique(rows).astype(np.uint32)
    return Tombstones(sha256=write_named(path, numbers.tobytes()), rows=len(numbers))


def read_tombstones(path: Callable[[str], str], tombstones: Tombstones) -> RowNumbers:
    """Return the row numbers, sorted.

    Raises:
        StoreError: there is no such file.
        IntegrityError: it is not what it was.
    """
    return np.frombuffer(read_named(path, tombstones.sha256, "tombstones"), np.uint32).astype(np.int64)


def find_rows(pmids: Pmids, pmid_order: NDArray[np.uint32], wanted: Pmids) -> RowNumbers:
    """Return the rows of those of the PMIDs `wanted` that a segment has.

    All are looked up by one bisection, so that of mapped files only log2(rows) pages per PMID are read.
    """
    low, high = np.zeros(len(wanted), np.int64), np.full(len(wanted), len(pmids), np.int64)
    while (open_ := low < high).any():
        middle = (low + high) // 2
        probe = pmids[pmid_order[np.where(open_, middle, 0)]]
        right = open_ & (probe < wanted)
        low = np.where(right, middle + 1, low)
        high = np.where(open_ & ~right, middle, high)
    inside = low < len(pmids)
    rows = pmid_order[low[inside]].astype(np.int64)
    return rows[pmids[rows] == wanted[inside]]

"""Row numbers of a segment: in order of a key of the rows (a PMID, a hash), in sets for searches, in tombstones.

Keys and their order are files: the keys int64, one a row; the order uint32, the row numbers. Mapped, log2(rows) pages
are read per key.
"""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.files.checked import read_named, write_named
from schemas.arrays import Mask, RowNumbers, StoredRowNumbers
from schemas.layout import Layout
from schemas.manifest import Tombstones
from schemas.store import Store

Keys = NDArray[np.int64]
Order = NDArray[np.uint32]

SORTED_ROWS = 2**21
"""Rows that are sorted at a time, about."""
SAMPLED = 64
"""Of so many keys one is looked at to cut them into ranges."""

NEARLY_ALL = 0.9
"""Share of the rows: where fewer are wanted, FAISS asks which, else it is asked for more rows than needed."""


def write_order(keys: Path, target: Path, *, ties: Path | None = None, without: int | None = None) -> None:
    """Write the rows of a file of keys in order of key, equal ones in order of `ties` (int64, one a row), then of row.

    Rows whose key is `without` are left out. Rows are sorted in ranges of keys, one pass over the files for each.
    Memory: 32 bytes a row of a range, with ties 48, so 70 or 100 MB whatever the size of the files, which are read, not
    mapped; the rows of one key are in one range, however many they are.
    """
    sample = [block[block != without][::SAMPLED] for _, block in _blocks(keys)]
    step = SORTED_ROWS // SAMPLED
    bounds = np.unique(np.sort(np.concatenate([np.empty(0, np.int64), *sample]))[step::step]).tolist()
    with target.open("wb") as out:
        for low, high in itertools.pairwise([-np.inf, *bounds, np.inf]):
            rows, columns = [np.empty(0, np.uint32)], []
            for start, block in _blocks(keys):
                [inside] = np.nonzero((block >= low) & (block < high) & (block != without))
                rows.append((start + inside).astype(np.uint32))
                tied = [] if ties is None else [np.fromfile(ties, np.int64, len(block), offset=8 * start)[inside]]
                columns.append(np.stack([*tied, block[inside]]))
            if columns:
                order = np.lexsort(np.concatenate(columns, axis=1))  # the last column first
                out.write(np.concatenate(rows)[order].data)


def _blocks(keys: Path) -> Iterator[tuple[int, Keys]]:
    """Yield the blocks of a file of keys, and the first row of each."""
    for start in range(0, keys.stat().st_size // 8, SORTED_ROWS):
        yield start, np.fromfile(keys, np.int64, SORTED_ROWS, offset=8 * start)


def rows_of(keys: Keys, order: Order, wanted: Keys) -> RowNumbers:
    """Return the first row (n,) of each of the keys `wanted`, -1 where there is none; all by one bisection."""
    low, high = np.zeros(len(wanted), np.int64), np.full(len(wanted), len(order), np.int64)
    while (open_ := low < high).any():
        middle = (low + high) // 2
        probe = keys[order[np.where(open_, middle, 0)]]
        right = open_ & (probe < wanted)
        low = np.where(right, middle + 1, low)
        high = np.where(open_ & ~right, middle, high)
    found = np.full(len(wanted), -1, np.int64)
    inside = low < len(order)
    rows = order[low[inside]].astype(np.int64)
    found[inside] = np.where(keys[rows] == wanted[inside], rows, -1)
    return found


def equal_rows(keys: Keys, order: Order, key: int) -> Order:
    """Return all rows of one key, in their order."""
    return order[bisect_left(order, key, key=keys.__getitem__) : bisect_right(order, key, key=keys.__getitem__)]


class RowSet:
    """Some rows of a segment, in a bit for each row of the segment."""

    def __init__(self, mask: Mask) -> None:
        """Take the rows (rows,) that are true."""
        self.size, self.count = len(mask), int(np.count_nonzero(mask))
        self.nearly_all = self.count >= NEARLY_ALL * self.size
        self._bits = np.packbits(mask, bitorder="little")
        self.selector = faiss.IDSelectorBitmap(len(self._bits), faiss.swig_ptr(self._bits))
        """For FAISS; borrows the bits, so this set must outlive it."""

    @staticmethod
    def joined(sets: Sequence["RowSet"]) -> "RowSet":
        """Return one set of the rows of several segments, numbered on from one to the next."""
        return RowSet(np.concatenate([rows.mask for rows in sets]))

    @property
    def mask(self) -> Mask:
        return np.unpackbits(self._bits, count=self.size, bitorder="little").astype(bool)

    def holds(self, rows: RowNumbers) -> Mask:
        """Return which of the rows, of any shape, are in a set that is not empty; -1 is in none."""
        return (rows >= 0) & (self._bits[rows >> 3] >> (rows & 7).astype(np.uint8) & 1).astype(bool)

    @cached_property
    def numbers(self) -> StoredRowNumbers:
        """The rows, ascending: 4 bytes each, kept from the first use on."""
        return np.flatnonzero(self.mask).astype(np.uint32)


def write_tombstones(store: Store, rows: RowNumbers) -> Tombstones:
    """Store row numbers of one segment, in any order, as sorted uint32 under the key of their sha256."""
    numbers = np.unique(rows).astype(np.uint32)
    return Tombstones(sha256=write_named(store, Layout.tombstones, numbers.tobytes()), rows=len(numbers))


def read_tombstones(store: Store, tombstones: Tombstones) -> RowNumbers:
    """Return the row numbers, sorted, of an object that is what it was (see `read_named`)."""
    content = read_named(store, Layout.tombstones, tombstones.sha256, "tombstones")
    return np.frombuffer(content, np.uint32).astype(np.int64)

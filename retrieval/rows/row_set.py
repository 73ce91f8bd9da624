"""Sets of rows of a segment: what a search may find, and the tombstones of what it may not."""

from collections.abc import Callable, Sequence
from functools import cached_property

import faiss
import numpy as np

from retrieval.files.atomic import write_named
from retrieval.files.checked import read_named
from schemas.arrays import Mask, RowNumbers, StoredRowNumbers
from schemas.manifest import Tombstones

NEARLY_ALL = 0.9
"""Share of the rows: where fewer are wanted, FAISS asks which, else it is asked for more rows than needed."""


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


def write_tombstones(path: Callable[[str], str], rows: RowNumbers) -> Tombstones:
    """Store row numbers of one segment, in any order, as sorted uint32 under the path of their sha256."""
    numbers = np.unique(rows).astype(np.uint32)
    return Tombstones(sha256=write_named(path, numbers.tobytes()), rows=len(numbers))


def read_tombstones(path: Callable[[str], str], tombstones: Tombstones) -> RowNumbers:
    """Return the row numbers, sorted, of a file that is what it was (see `read_named`)."""
    return np.frombuffer(read_named(path, tombstones.sha256, "tombstones"), np.uint32).astype(np.int64)

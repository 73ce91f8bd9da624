"""Sets of rows of a segment: what a search may find."""

from functools import cached_property

import faiss
import numpy as np
from numpy.typing import NDArray


class RowSet:
    """Some rows of a segment, in a bit for each row of the segment."""

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        """Take the rows (rows,) that are true."""
        self.size, self.count = len(mask), int(np.count_nonzero(mask))
        self._bits = np.packbits(mask, bitorder="little")
        self.selector = faiss.IDSelectorBitmap(len(self._bits), faiss.swig_ptr(self._bits))
        """For FAISS; borrows the bits, so this set must outlive it."""

    def holds(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of the rows, of any shape, are in a set that is not empty; -1 is in none."""
        return (rows >= 0) & (self._bits[rows >> 3] >> (rows & 7).astype(np.uint8) & 1).astype(bool)

    @cached_property
    def numbers(self) -> NDArray[np.uint32]:
        """The rows, ascending: 4 bytes each, kept from the first use on."""
        bits = np.unpackbits(self._bits, count=self.size, bitorder="little")
        return np.flatnonzero(bits).astype(np.uint32)

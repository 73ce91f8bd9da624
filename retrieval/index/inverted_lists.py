"""Scanning inverted lists: the first stage of a search."""

from functools import lru_cache
from pathlib import Path

import faiss
import numpy as np

from retrieval.index.centroids.quantizer import Probes, Quantizer
from retrieval.rows.row_numbers import RowSet
from schemas.arrays import Floats, Lists

SLACK = 16
"""Rows fetched beyond twice the unwanted ones that are expected, so that few scans must be repeated."""


def open_lists(path: Path) -> faiss.InvertedLists:
    """Map a lists file."""
    return faiss.read_InvertedLists(faiss.FileIOReader(str(path)), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)


class ScannedLists:
    """Inverted lists, of rows that are numbered from 0."""

    def __init__(self, lists: faiss.InvertedLists, sizes: Lists, quantizer: Quantizer) -> None:
        """Take lists of so many rows each (nlist,), dead ones too; they are freed with this."""
        self.sizes = sizes
        self._quantizer = quantizer  # whose centroids the shell borrows
        self._ivf = quantizer.shell(lists, int(sizes.sum()))

    @property
    def lists(self) -> faiss.InvertedLists:
        return self._ivf.invlists

    def scan(self, probes: Probes, count: int, wanted: RowSet) -> tuple[Floats, Lists]:
        """Return the (q, n) first-stage distances and wanted rows of the probed lists, best first; -1 is no row.

        They are the `count` best, all that are as far as the last of these, and maybe more. Smaller is better for every
        metric. Of equal distances FAISS keeps which it likes, and where most rows are wanted it is not told which. So
        it is asked for more until none can be missing. Where it prunes by an estimate, it is asked for all at once.
        """
        if not wanted.count:
            return np.empty((len(probes.lists), 0), np.float32), np.empty((len(probes.lists), 0), np.int64)
        unwanted = wanted.size - wanted.count if wanted.nearly_all else 0
        fetched = count + 1 + (2 * (unwanted * count // wanted.size) + SLACK if unwanted else 0)
        if self._quantizer.prunes:
            fetched = max(fetched, int(self.sizes[probes.lists].sum(axis=1).max()) + 1)
        while True:
            distances, rows = self._fetch(probes, fetched, wanted)
            exhausted, last = rows[:, -1] < 0, distances[:, -1:]
            found = wanted.holds(rows) if unwanted else rows >= 0
            if (exhausted | ((found & (distances < last)).sum(axis=1) >= count)).all():
                return distances, np.where(found, rows, -1)
            fetched *= 2

    def _fetch(self, probes: Probes, count: int, wanted: RowSet) -> tuple[Floats, Lists]:
        """Return the (q, count) best of all rows, or of the wanted ones where they are few."""
        shape, nprobe = (len(probes.lists), count), probes.lists.shape[1]
        distances, rows = np.empty(shape, np.float32), np.empty(shape, np.int64)
        few = None if wanted.nearly_all else faiss.SearchParametersIVF(nprobe=nprobe, sel=wanted.selector)
        self._search(probes, distances, rows, few or all_rows(nprobe))
        return (distances if self._quantizer.is_l2 else -distances), rows

    def _search(
        self, probes: Probes, distances: Floats, rows: Lists, params: faiss.SearchParametersIVF, *, places: bool = False
    ) -> None:
        """Let FAISS fill distances and rows (q, n); with `places` a row is list · 2^32 + place in the list."""
        arrays = (faiss.swig_ptr(array) for array in (probes.lists, probes.distances, distances, rows))
        queries, count = distances.shape
        self._ivf.search_preassigned_c(queries, faiss.swig_ptr(probes.rotated), count, *arrays, places, params)


@lru_cache
def all_rows(nprobe: int) -> faiss.SearchParametersIVF:
    """Return parameters that FAISS reads alone; to make them takes as long as to call it."""
    return faiss.SearchParametersIVF(nprobe=nprobe)

"""Small segments scanned as one, so that a night's segment costs a query little beside its rows.

FAISS brings a query into the form of a list's codes once for each list that it scans, however few rows are in it: with
five nights of 1 % that takes longer than to scan their rows. A stack presents the segments' lists to it as one.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import takewhile

import faiss
import numpy as np

from retrieval.index.centroids.quantizer import Probes, Quantizer
from retrieval.index.inverted_lists import ScannedLists, all_rows
from retrieval.index.segment import OpenSegment
from retrieval.rows.row_set import RowSet
from schemas.arrays import Floats, Lists

SMALL = 0.1
"""Share of all rows below which a segment is stacked: its codes are copied whenever they are scanned."""
KEPT = 16
"""Filters whose rows are kept."""


class Stack(ScannedLists):
    """The lists of some segments, whose rows are numbered on from one segment to the next.

    FAISS cannot ask which rows are wanted here, so where few are, each segment is to be scanned by itself.
    """

    def __init__(self, segments: Sequence[OpenSegment], quantizer: Quantizer) -> None:
        """Stack the lists of one segment or more, which must outlive this."""
        self._segments, self.height = segments, len(segments)
        pointers = faiss.InvertedListsPtrVector()
        for segment in segments:
            pointers.push_back(segment.lists)
        super().__init__(
            faiss.HStackInvertedLists(pointers.size(), pointers.data()),
            np.sum([segment.sizes for segment in segments], axis=0),
            quantizer,
        )
        self._ivf.parallel_mode = self._ivf.PARALLEL_MODE_NO_HEAP_INIT
        numbers = np.concatenate([np.repeat(np.arange(quantizer.nlist), segment.sizes) for segment in segments])
        self._order = np.argsort(numbers, kind="stable")
        self._starts = np.cumsum(self.sizes) - self.sizes
        self.joined = lru_cache(KEPT)(RowSet.joined)

    def scan_closer(self, probes: Probes, limits: Floats, count: int, wanted: RowSet) -> tuple[Floats, Lists]:
        """Return the (q, n) first-stage distances and wanted rows of the probed lists in any order; -1 is no row.

        They are all that are closer than the limit of their query (q,). `count` says how many may be; where they are
        more it takes longer.
        """
        if self._quantizer.prunes:  # by an estimate of what is too far: nothing is
            limits, count = np.full_like(limits, np.inf), int(self.sizes[probes.lists].sum(axis=1).max())
        sign = 1 if self._quantizer.is_l2 else -1
        while True:
            # A heap that is full of rows as far as the limit; the furthest is first.
            distances = np.repeat((sign * limits)[:, None], count + 1, axis=1)
            found = np.full(distances.shape, -1)
            self._search(probes, distances, found, all_rows(probes.lists.shape[1]), places=True)
            if (found[:, 0] < 0).all():
                return sign * distances, self._rows(found, wanted)
            count *= 2

    def _rows(self, found: Lists, wanted: RowSet) -> Lists:
        """Return the number of each row found that is wanted, -1 for others."""
        present = found >= 0
        places = found[present]
        numbers = self._order[self._starts[places >> 32] + (places & 0xFFFFFFFF)]
        found[present] = np.where(wanted.holds(numbers), numbers, -1) if wanted.count < wanted.size else numbers
        return found


def stack_small(segments: Sequence[OpenSegment], quantizer: Quantizer) -> Stack | None:
    """Return a stack of the last of the segments that are small, None if there are not two of them."""
    limit = SMALL * sum(segment.manifest.rows for segment in segments)
    height = sum(1 for _ in takewhile(lambda segment: segment.manifest.rows <= limit, reversed(segments)))
    return Stack(segments[-height:], quantizer) if height > 1 else None

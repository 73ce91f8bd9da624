"""Searching segments: one coarse search, every segment scans the same lists, one global cut, exact scores.

Any partition of the rows into segments and shards gives the same answer, because the cut is made once over all of
them: the `candidates` best by (first-stage distance, PMID) survive, and are ordered by (exact score, PMID).

Small segments are scanned as one, so that a night's segment costs a query little beside its rows: FAISS brings a query
into the form of a list's codes once for each list that it scans, however few rows are in it. With five nights of 1 %
that takes longer than to scan their rows. A stack presents the segments' lists to it as one.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise, takewhile
from typing import NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.index.centroids.quantizer import Probes, Quantizer
from retrieval.index.exact import best_first, exact_search, inner_products
from retrieval.index.inverted_lists import ScannedLists, all_rows
from retrieval.index.segment import OpenSegment
from retrieval.rows.row_numbers import RowSet
from schemas.arrays import Floats, Lists, Number, Pmids

SMALL = 0.1
"""Share of all rows below which a segment is stacked: its codes are copied whenever they are scanned."""
KEPT = 16
"""Filters whose rows are kept."""

_NO_FLOATS, _NONE = np.empty(0, np.float32), np.empty(0, np.int64)


class Stack(ScannedLists):
    """The lists of some segments, whose rows are numbered on from one segment to the next.

    FAISS cannot ask which rows are wanted here, so where few are, each segment is to be scanned by itself.
    """

    def __init__(self, segments: Sequence[OpenSegment], quantizer: Quantizer) -> None:
        """Stack the lists of one segment or more, which must outlive this."""
        self._segments, self.height = segments, len(segments)
        pointers = faiss.InvertedListsPtrVector()
        for segment in segments:
            pointers.push_back(segment.scanned.lists)
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


class Candidates(NamedTuple):
    """Rows found for one query, in any order; all arrays have one entry per row."""

    distances: Floats
    scores: Floats
    pmids: Pmids
    segments: NDArray[np.int64]  # position of the segment
    rows: NDArray[np.int64]


NOTHING = Candidates(_NO_FLOATS, _NO_FLOATS, _NONE, _NONE, _NONE)


class Nearest(NamedTuple):
    """Rows that survive the first stage for one query, in order of their place; all arrays have one entry per row."""

    distances: Floats
    places: NDArray[np.int64]
    """Row numbers, which go on from one segment to the next."""
    pmids: Pmids


def nearest(
    queries: Floats,
    segments: Sequence[OpenSegment],
    quantizer: Quantizer,
    *,
    nprobe: int,
    candidates: int,
    wanted: Sequence[RowSet] | None = None,
    stack: Stack | None = None,
) -> list[Nearest]:
    """Return for each of (q, d) queries the `candidates` nearest rows; fewer where the probed lists hold fewer.

    They are of the rows `wanted` in each segment; None: of all live ones. The last of the segments are scanned as one
    where there is a `stack` of them.
    """
    of_each = [segment.alive for segment in segments] if wanted is None else list(wanted)
    alone, stacked = len(segments), None
    if stack and (joined := stack.joined(tuple(of_each[-stack.height :]))).nearly_all:
        alone, stacked = len(segments) - stack.height, joined
    probes = quantizer.probe(queries, nprobe)
    scans = [s.scanned.scan(probes, candidates, rows) for s, rows in zip(segments[:alone], of_each, strict=False)]
    if stack and stacked:
        # All candidates of a query are closer than this, by what was found already.
        limits = np.min([np.full(len(queries), np.inf, np.float32), *(far[:, -1] for far, _ in scans if far.size)], 0)
        scans.append(stack.scan_closer(probes, limits, candidates, stacked))
    starts = _starts(segments)
    results = []
    for q in range(len(queries)):
        found = [_present(far[q], rows[q], start) for (far, rows), start in zip(scans, starts, strict=False)]
        distances, places = (np.concatenate(columns) for columns in zip((_NO_FLOATS, _NONE), *found, strict=True))
        results.append(_cut(segments, starts, distances, places, candidates))
    return results


def search(
    queries: Floats,
    segments: Sequence[OpenSegment],
    quantizer: Quantizer,
    *,
    nprobe: int,
    candidates: int,
    wanted: Sequence[RowSet] | None = None,
    stack: Stack | None = None,
) -> list[Candidates]:
    """Return for each of (q, d) queries the rows that `nearest` finds, best first by their exact scores."""
    found = nearest(queries, segments, quantizer, nprobe=nprobe, candidates=candidates, wanted=wanted, stack=stack)
    return [_scored(query, segments, near) for query, near in zip(queries, found, strict=True)]


def search_exactly(
    queries: Floats, segments: Sequence[OpenSegment], k: int, wanted: Sequence[RowSet] | None = None
) -> list[Candidates]:
    """Return for each of (q, d) queries its k best rows, best first, of those `wanted` (see `search`); reads each."""
    wanted = [segment.alive for segment in segments] if wanted is None else wanted
    scans = [
        exact_search(queries, segment.rows, segment.pmids, k, rows.numbers)
        for segment, rows in zip(segments, wanted, strict=True)
    ]
    results = []
    for q in range(len(queries)):
        found = []
        for number, (segment, (scores, rows)) in enumerate(zip(segments, scans, strict=True)):
            present = rows[q] >= 0
            best, row = scores[q][present], rows[q][present]
            found.append(Candidates(-best, best, segment.pmids[row], np.full(len(row), number), row))
        results.append(best_of_all(found, k))
    return results


def best_of_all(found: Sequence[Candidates], candidates: int) -> Candidates:
    """Keep the `candidates` best of what segments or shards found by first-stage distance, ordered by exact score."""
    merged = Candidates._make(np.concatenate(columns) for columns in zip(NOTHING, *found, strict=True))
    survivors = best_first(-merged.distances, merged.pmids, candidates)
    order = survivors[best_first(merged.scores[survivors], merged.pmids[survivors], candidates)]
    return Candidates._make(column[order] for column in merged)


def _present(distances: Floats, rows: Lists, start: int) -> tuple[Floats, Lists]:
    """Return the distances and places of what a scan found; places are numbered on through all segments."""
    present = rows >= 0
    return distances[present], rows[present] + start


def _starts(segments: Sequence[OpenSegment]) -> Lists:
    """Return the first place of each segment, and behind the last one."""
    return np.cumsum([0, *(segment.manifest.rows for segment in segments)])


def _cut(segments: Sequence[OpenSegment], starts: Lists, distances: Floats, places: Lists, candidates: int) -> Nearest:
    """Keep the nearest of what was found, so that only these rows are read, in order of their place on disk."""
    if not len(places):
        return Nearest(_NO_FLOATS, _NONE, _NONE)
    if len(places) > candidates:
        near = np.flatnonzero(~(distances > np.partition(distances, candidates - 1)[candidates - 1]))
        distances, places = distances[near], places[near]
    order = np.argsort(places)
    distances, places = distances[order], places[order]
    pmids = _joined([segment.pmids[rows] for segment, rows in _by_segment(segments, starts, places)])
    if len(places) > candidates:  # some are as far as the last
        order = np.sort(best_first(-distances, pmids, candidates))
        distances, places, pmids = distances[order], places[order], pmids[order]
    return Nearest(distances, places, pmids)


def _scored(query: Floats, segments: Sequence[OpenSegment], near: Nearest) -> Candidates:
    """Read the rows, and order them by their exact scores."""
    if not len(near.places):
        return NOTHING
    starts = _starts(segments)
    parts = _by_segment(segments, starts, near.places)
    scores = inner_products(query, _joined([segment.vectors(rows) for segment, rows in parts]))
    order = best_first(scores, near.pmids, len(scores))
    numbers = np.searchsorted(starts, near.places, side="right") - 1
    found = Candidates(near.distances, scores, near.pmids, numbers, near.places - starts[numbers])
    return Candidates._make(column[order] for column in found)


def _by_segment(segments: Sequence[OpenSegment], starts: Lists, places: Lists) -> list[tuple[OpenSegment, Lists]]:
    """Return the rows of each segment at ascending places."""
    edges = np.searchsorted(places, starts).tolist()
    return [
        (segment, places[first:end] - start)
        for segment, start, (first, end) in zip(segments, starts, pairwise(edges), strict=False)
        if first < end
    ]


def _joined(parts: Sequence[NDArray[Number]]) -> NDArray[Number]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)

"""Searching segments: one coarse search, every segment scans the same lists, one global cut, exact scores.

Any partition of the rows into segments and shards gives the same answer, because the cut is made once over all of
them: the `candidates` best by (first-stage distance, PMID) survive, and are ordered by (exact score, PMID).
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retrieval.quantizer import Floats, Lists, Quantizer
from retrieval.rowset import RowSet
from retrieval.segment import OpenSegment
from retrieval.stack import Stack
from retrieval.topk import Pmids, best_first, exact_search, inner_products


class Candidates(NamedTuple):
    """Rows found for one query, in any order; all arrays have one entry per row."""

    distances: Floats
    scores: Floats
    pmids: Pmids
    segments: NDArray[np.int64]  # position of the segment
    rows: NDArray[np.int64]


class _Near(NamedTuple):
    """Rows found for one query by the first stage, in order of place, which is numbered on through all segments."""

    distances: Floats
    pmids: Pmids
    places: NDArray[np.int64]


_NO_FLOATS, _NONE = np.empty(0, np.float32), np.empty(0, np.int64)
NOTHING = Candidates(_NO_FLOATS, _NO_FLOATS, _NONE, _NONE, _NONE)


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
    """Return for each of (q, d) queries its candidates, best first; fewer where the probed lists hold fewer.

    They are of the rows `wanted` in each segment; None: of all live ones. The last of the segments are scanned as one
    where there is a `stack` of them.
    """
    of_each = [segment.alive for segment in segments] if wanted is None else list(wanted)
    starts = list(accumulate((segment.manifest.rows for segment in segments), initial=0))
    stacked = stack.joined(tuple(of_each[-stack.height :])) if stack else None
    if stack and not stacked.nearly_all:
        stack = None
    alone = len(segments) - (stack.height if stack else 0)
    probes = quantizer.probe(queries, nprobe)
    scans = [s.scan(probes, candidates, rows) for s, rows in zip(segments[:alone], of_each, strict=False)]
    if stack:
        scans.append(stack.scan_within(probes, _limits(len(queries), scans, candidates), candidates, stacked))
    results = []
    for q, query in enumerate(queries):
        found = [_present(far[q], rows[q], start) for (far, rows), start in zip(scans, starts, strict=False)]
        near = _nearest(segments, starts, found, candidates)
        results.append(_scored(query, segments, starts, near) if len(near.places) else NOTHING)
    return results


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
        results.append(cut(found, k))
    return results


def cut(found: Sequence[Candidates], candidates: int) -> Candidates:
    """Keep the `candidates` best of what segments or shards found by first-stage distance, ordered by exact score."""
    merged = Candidates._make(np.concatenate(columns) for columns in zip(NOTHING, *found, strict=True))
    survivors = best_first(-merged.distances, merged.pmids, candidates)
    order = survivors[best_first(merged.scores[survivors], merged.pmids[survivors], candidates)]
    return Candidates._make(column[order] for column in merged)


def _limits(queries: int, scans: Sequence[tuple[Floats, Lists]], candidates: int) -> Floats:
    """Return how far the last of the best rows found so far is from each query (q,); infinite where they are few."""
    found = [np.where(rows < 0, np.float32(np.inf), distances) for distances, rows in scans]
    distances = np.concatenate([np.empty((queries, 0), np.float32), *found], axis=1)
    if distances.shape[1] < candidates:
        return np.full(len(distances), np.inf, np.float32)
    return np.partition(distances, candidates - 1, axis=1)[:, candidates - 1]


def _present(distances: Floats, rows: Lists, start: int) -> tuple[Floats, Lists]:
    """Return the distances and places of what a scan found."""
    present = rows >= 0
    return distances[present], rows[present] + start


def _nearest(
    segments: Sequence[OpenSegment], starts: Sequence[int], found: Sequence[tuple[Floats, Lists]], candidates: int
) -> _Near:
    """Keep the best of what all segments found, so that only these rows are read."""
    distances, places = (np.concatenate(columns) for columns in zip((_NO_FLOATS, _NONE), *found, strict=True))
    if len(places) > candidates:
        near = np.flatnonzero(~(distances > np.partition(distances, candidates - 1)[candidates - 1]))
        distances, places = distances[near], places[near]
    order = np.argsort(places)
    places = places[order]
    pmids = np.concatenate([_NONE, *(segment.pmids[rows] for segment, rows in _by_segment(segments, starts, places))])
    merged = _Near(distances[order], pmids, places)
    if len(places) <= candidates:
        return merged
    best = np.sort(best_first(-merged.distances, pmids, candidates))
    return _Near._make(column[best] for column in merged)


def _by_segment(
    segments: Sequence[OpenSegment], starts: Sequence[int], places: Lists
) -> Iterator[tuple[OpenSegment, Lists]]:
    """Yield the rows of each segment at ascending places."""
    edges = np.searchsorted(places, starts).tolist()
    for segment, start, (first, end) in zip(segments, starts, pairwise(edges), strict=False):
        if first < end:
            yield segment, places[first:end] - start


def _scored(query: Floats, segments: Sequence[OpenSegment], starts: Sequence[int], near: _Near) -> Candidates:
    """Order rows by their exact scores, from the float16 rows, read in order of their place on disk."""
    rows = [segment.rows[rows] for segment, rows in _by_segment(segments, starts, near.places)]
    scores = inner_products(query, rows[0] if len(rows) == 1 else np.concatenate(rows))
    order = best_first(scores, near.pmids, len(scores))
    places = near.places[order]
    numbers = np.searchsorted(starts, places, side="right") - 1
    return Candidates(
        near.distances[order], scores[order], near.pmids[order], numbers, places - np.asarray(starts)[numbers]
    )

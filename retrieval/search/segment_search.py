"""Searching segments: one coarse search, every segment scans the same lists, one global cut, exact scores.

Any partition of the rows into segments and shards gives the same answer, because the cut is made once over all of
them: the `candidates` best by (first-stage distance, PMID) survive, and are ordered by (exact score, PMID).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from retrieval.index.centroids.quantizer import Quantizer
from retrieval.index.exact import best_first, exact_search, inner_products
from retrieval.index.segment import OpenSegment
from retrieval.rows.row_set import RowSet
from retrieval.search.small_segments import Stack
from schemas.arrays import Floats, Lists, Pmids

Number = TypeVar("Number", bound=np.generic)


class Candidates(NamedTuple):
    """Rows found for one query, in any order; all arrays have one entry per row."""

    distances: Floats
    scores: Floats
    pmids: Pmids
    segments: NDArray[np.int64]  # position of the segment
    rows: NDArray[np.int64]


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
    alone, stacked = len(segments), None
    if stack and (joined := stack.joined(tuple(of_each[-stack.height :]))).nearly_all:
        alone, stacked = len(segments) - stack.height, joined
    probes = quantizer.probe(queries, nprobe)
    scans = [s.scan(probes, candidates, rows) for s, rows in zip(segments[:alone], of_each, strict=False)]
    if stack and stacked:
        limits = _limits(len(queries), scans)
        scans.append(stack.scan_closer(probes, limits, candidates, stacked))
    starts = np.cumsum([0, *(segment.manifest.rows for segment in segments)])
    results = []
    for q, query in enumerate(queries):
        found = [_present(far[q], rows[q], start) for (far, rows), start in zip(scans, starts, strict=False)]
        distances, places = (np.concatenate(columns) for columns in zip((_NO_FLOATS, _NONE), *found, strict=True))
        results.append(_best(query, segments, starts, distances, places, candidates) if len(places) else NOTHING)
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
        results.append(best_of_all(found, k))
    return results


def best_of_all(found: Sequence[Candidates], candidates: int) -> Candidates:
    """Keep the `candidates` best of what segments or shards found by first-stage distance, ordered by exact score."""
    merged = Candidates._make(np.concatenate(columns) for columns in zip(NOTHING, *found, strict=True))
    survivors = best_first(-merged.distances, merged.pmids, candidates)
    order = survivors[best_first(merged.scores[survivors], merged.pmids[survivors], candidates)]
    return Candidates._make(column[order] for column in merged)


def _limits(queries: int, scans: Sequence[tuple[Floats, Lists]]) -> Floats:
    """Return a distance from each query (q,) that all its candidates are closer than, by what scans found already."""
    limits = np.full(queries, np.inf, np.float32)
    for distances, rows in scans:
        if rows.shape[1]:
            limits = np.minimum(limits, distances[:, -1])
    return limits


def _present(distances: Floats, rows: Lists, start: int) -> tuple[Floats, Lists]:
    """Return the distances and places of what a scan found; places are numbered on through all segments."""
    present = rows >= 0
    return distances[present], rows[present] + start


def _best(
    query: Floats, segments: Sequence[OpenSegment], starts: Lists, distances: Floats, places: Lists, candidates: int
) -> Candidates:
    """Keep the nearest, so that only these rows are read, in order of their place on disk; order them by their scores.

    All arrays have an entry for each row found, one at least; `starts` is the first place of each segment.
    """
    if len(places) > candidates:
        near = np.flatnonzero(~(distances > np.partition(distances, candidates - 1)[candidates - 1]))
        distances, places = distances[near], places[near]
    order = np.argsort(places)
    distances, places = distances[order], places[order]
    parts = _by_segment(segments, starts, places)
    pmids = _joined([segment.pmids[rows] for segment, rows in parts])
    if len(places) > candidates:  # some are as far as the last
        order = np.sort(best_first(-distances, pmids, candidates))
        distances, places, pmids = distances[order], places[order], pmids[order]
        parts = _by_segment(segments, starts, places)
    scores = inner_products(query, _joined([segment.rows[rows] for segment, rows in parts]))
    order = best_first(scores, pmids, len(scores))
    numbers = np.searchsorted(starts, places, side="right") - 1
    found = Candidates(distances, scores, pmids, numbers, places - starts[numbers])
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

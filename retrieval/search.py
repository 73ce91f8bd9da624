"""Searching segments: one coarse search, every segment scans the same lists, one global cut, exact scores.

Any partition of the rows into segments and shards gives the same answer, because the cut is made once over all of
them: the `candidates` best by (first-stage distance, PMID) survive, and are ordered by (exact score, PMID).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retrieval.quantizer import Floats, Quantizer
from retrieval.rowset import RowSet
from retrieval.segment import OpenSegment
from retrieval.topk import Pmids, best_first, exact_search, inner_products


class Candidates(NamedTuple):
    """Rows found for one query, in any order; all arrays have one entry per row."""

    distances: Floats
    scores: Floats
    pmids: Pmids
    segments: NDArray[np.int64]  # position of the segment
    rows: NDArray[np.int64]


class _Near(NamedTuple):
    """Rows found for one query by the first stage."""

    distances: Floats
    pmids: Pmids
    segments: NDArray[np.int64]
    rows: NDArray[np.int64]


_NONE = np.empty(0, np.int64)
NOTHING_NEAR = _Near(np.empty(0, np.float32), _NONE, _NONE, _NONE)
NOTHING = Candidates(np.empty(0, np.float32), np.empty(0, np.float32), _NONE, _NONE, _NONE)


def search(
    queries: Floats,
    segments: Sequence[OpenSegment],
    quantizer: Quantizer,
    *,
    nprobe: int,
    candidates: int,
    wanted: Sequence[RowSet] | None = None,
) -> list[Candidates]:
    """Return for each of (q, d) queries its candidates, best first; fewer where the probed lists hold fewer.

    They are of the rows `wanted` in each segment; None: of all live ones.
    """
    probes = quantizer.probe(queries, nprobe)
    scans = [segment.scan(probes, candidates, rows) for segment, rows in _with_wanted(segments, wanted)]
    results = []
    for q, query in enumerate(queries):
        found = [
            _near(segment, number, distances[q], rows[q])
            for number, (segment, (distances, rows)) in enumerate(zip(segments, scans, strict=True))
        ]
        results.append(_scored(query, segments, _nearest(found, candidates)))
    return results


def search_exactly(
    queries: Floats, segments: Sequence[OpenSegment], k: int, wanted: Sequence[RowSet] | None = None
) -> list[Candidates]:
    """Return for each of (q, d) queries its k best rows, best first, of those `wanted` (see `search`); reads each."""
    scans = [
        exact_search(queries, segment.rows, segment.pmids, k, rows.numbers)
        for segment, rows in _with_wanted(segments, wanted)
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


def _with_wanted(
    segments: Sequence[OpenSegment], wanted: Sequence[RowSet] | None
) -> Iterable[tuple[OpenSegment, RowSet]]:
    return zip(segments, [s.alive for s in segments] if wanted is None else wanted, strict=True)


def _near(segment: OpenSegment, number: int, distances: Floats, rows: NDArray[np.int64]) -> _Near:
    """Return what a scan found, without what is missing."""
    present = rows >= 0
    rows = rows[present]
    return _Near(distances[present], segment.pmids[rows], np.full(len(rows), number), rows)


def _nearest(found: Sequence[_Near], candidates: int) -> _Near:
    """Keep the best of what all segments found, so that only these rows are read."""
    merged = _Near._make(np.concatenate(columns) for columns in zip(NOTHING_NEAR, *found, strict=True))
    best = best_first(-merged.distances, merged.pmids, candidates)
    return _Near._make(column[best] for column in merged)


def _scored(query: Floats, segments: Sequence[OpenSegment], near: _Near) -> Candidates:
    """Order rows by their exact scores, from the float16 rows, read in order of their place on disk."""
    scores = np.empty(len(near.rows), np.float32)
    for number, segment in enumerate(segments):
        here = np.flatnonzero(near.segments == number)
        here = here[np.argsort(near.rows[here])]
        scores[here] = inner_products(query, segment.rows[near.rows[here]])
    found = Candidates(near.distances, scores, near.pmids, near.segments, near.rows)
    order = best_first(scores, near.pmids, len(scores))
    return Candidates._make(column[order] for column in found)

"""The searcher: an index version, mapped and ready."""

import asyncio
from collections.abc import Sequence

import numpy as np

from retrieval.quantizer import Floats, Quantizer
from retrieval.search import Candidates, search, search_exactly
from retrieval.segment import OpenSegment
from retrieval.storage import read_named
from retrieval.tombstones import read_tombstones
from schemas.article import DisplayArticle
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.protocols import Lookup, Match

DISPLAYED = list(DisplayArticle._fields)

CANDIDATES_PER_HIT = 5
"""Rows that are scored exactly for each article wanted; recall@100 is .974 with 5, .936 with 2 (docs/decisions.md)."""


class IndexSearcher:
    """Searches the segments of a version. Calls may come from several threads."""

    def __init__(self, layout: Layout, version: IndexVersion, *, exact: bool = False) -> None:
        """Map every file of the version. `exact` reads every row for every search: for measurements.

        Raises:
            IntegrityError: one of them is not what the manifest names.
        """
        self.version, self._exact = version, exact
        self.quantizer = load_quantizer(layout, version.quantizer)
        self.segments = open_segments(layout, version, self.quantizer)

    def candidates(self, queries: Floats, k: int) -> list[Candidates]:
        """Return for each of (q, d) queries its k best rows or more, independent of the other queries.

        Where the probed lists hold fewer than k, all lists are searched.
        """
        if self._exact:
            return search_exactly(queries, self.segments, k)
        found = self._search(queries, k, self.version.nprobe)
        few = [q for q, rows in enumerate(found) if len(rows.rows) < min(k, self.version.articles)]
        if few:
            for q, rows in zip(few, self._search(queries[few], k, self.quantizer.nlist), strict=True):
                found[q] = rows
        return found

    def matches(self, lookups: Sequence[Lookup]) -> list[list[Match]]:
        """Return the k best articles of each lookup, independent of the other lookups."""
        results: list[list[Match]] = [[] for _ in lookups]
        for k in {lookup.k for lookup in lookups}:
            alike = [i for i, lookup in enumerate(lookups) if lookup.k == k]
            found = self.candidates(np.stack([lookups[i].vector for i in alike]), k)
            for i, rows in zip(alike, found, strict=True):
                results[i] = self._articles(rows, k)
        return results

    def _search(self, queries: Floats, k: int, nprobe: int) -> list[Candidates]:
        candidates = max(CANDIDATES_PER_HIT * k, self.version.candidates)
        return search(queries, self.segments, self.quantizer, nprobe=nprobe, candidates=candidates)

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        """Return the k best articles of each lookup (see `Searcher`)."""
        return await asyncio.to_thread(self.matches, lookups)

    def _articles(self, found: Candidates, k: int) -> list[Match]:
        matches = []
        for score, segment, row in zip(found.scores[:k], found.segments[:k], found.rows[:k], strict=True):
            record = self.segments[segment].articles.slice(row, 1).select(DISPLAYED).to_pylist()[0]
            matches.append(Match(float(score), DisplayArticle(**record)))
        return matches


def load_quantizer(layout: Layout, sha256: str) -> Quantizer:
    """Load a quantizer of the store.

    Raises:
        IntegrityError: it is not what it was.
    """
    return Quantizer(read_named(layout.quantizer, sha256, "quantizer"))


def open_segments(layout: Layout, version: IndexVersion, quantizer: Quantizer) -> list[OpenSegment]:
    """Map the segments of a version, without the rows that are dead in it.

    Raises:
        IntegrityError: a file is not what the manifest names.
    """
    opened = []
    for segment in version.segments:
        buried = version.tombstones.get(segment.id)
        dead = read_tombstones(layout.tombstones, buried) if buried else None
        opened.append(OpenSegment(layout.segment(segment.id), segment, quantizer, dead))
    return opened

"""The searcher: an index version, mapped and ready."""

import asyncio
from collections.abc import Sequence

import numpy as np

from retrieval.quantizer import Quantizer
from retrieval.search import Candidates, search, search_exactly
from retrieval.segment import OpenSegment
from retrieval.storage import read_bytes
from schemas.article import DisplayArticle
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.protocols import Lookup, Match

DISPLAYED = list(DisplayArticle._fields)


class IndexSearcher:
    """Searches the segments of a version. Calls may come from several threads."""

    def __init__(self, layout: Layout, version: IndexVersion, *, exact: bool = False) -> None:
        """Map every file of the version. `exact` reads every row for every search: for measurements.

        Raises:
            IntegrityError: one of them is not what the manifest names.
        """
        self.version, self._exact = version, exact
        self._quantizer = Quantizer(read_bytes(layout.quantizer(version.quantizer), f"quantizer {version.quantizer}"))
        self.segments = [OpenSegment(layout.segment(s.id), s, self._quantizer) for s in version.segments]

    def candidates(self, queries: np.ndarray, k: int) -> list[Candidates]:
        """Return for each of (q, d) queries its k best rows or more; every list is probed where few hold too few."""
        if self._exact:
            return search_exactly(queries, self.segments, k)
        wanted, version = max(k, self.version.candidates), self.version
        found = search(queries, self.segments, self._quantizer, nprobe=version.nprobe, candidates=wanted)
        if min(len(f.rows) for f in found) < min(k, version.articles):
            return search(queries, self.segments, self._quantizer, nprobe=self._quantizer.nlist, candidates=wanted)
        return found

    def matches(self, lookups: Sequence[Lookup]) -> list[list[Match]]:
        """Return the k best articles of each lookup."""
        if not lookups:
            return []
        found = self.candidates(np.stack([lookup.vector for lookup in lookups]), max(lookup.k for lookup in lookups))
        return [self._articles(candidates, lookup.k) for candidates, lookup in zip(found, lookups, strict=True)]

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        """Return the k best articles of each lookup (see `Searcher`)."""
        return await asyncio.to_thread(self.matches, lookups)

    def _articles(self, found: Candidates, k: int) -> list[Match]:
        matches = []
        for score, segment, row in zip(found.scores[:k], found.segments[:k], found.rows[:k], strict=True):
            record = self.segments[segment].articles.slice(row, 1).select(DISPLAYED).to_pylist()[0]
            matches.append(Match(float(score), DisplayArticle(**record)))
        return matches

"""The searcher: an index version, mapped and ready."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from retrieval.filters import check_terms, wanted_rows
from retrieval.quantizer import Floats, Quantizer
from retrieval.route import lists_to_probe
from retrieval.rowset import RowSet
from retrieval.search import Candidates, search, search_exactly
from retrieval.segment import OpenSegment
from retrieval.stack import stack_small
from retrieval.storage import read_named
from retrieval.tombstones import read_tombstones
from schemas.article import DisplayArticle
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.protocols import Lookup, Match
from schemas.search import EVERYTHING, Wanted

DISPLAYED = list(DisplayArticle._fields)

CANDIDATES_PER_HIT = 5
"""Rows that are scored exactly for each article wanted; recall@100 is .974 with 5, .936 with 2 (docs/decisions.md)."""


KEPT_FILTERS = 16
"""Filters whose rows are kept: a bit for each row of the version, and 4 bytes for each that is read exactly."""


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
        self._stack = stack_small(self.segments, self.quantizer)
        if not exact:
            for segment in self.segments:
                segment.expect_searches()
        self._rows = lru_cache(KEPT_FILTERS)(self._find_rows)
        self._rows(Wanted())  # for most searches

    def candidates(self, queries: Floats, k: int, wanted: Wanted = EVERYTHING) -> list[Candidates]:
        """Return for each of (q, d) queries its k best rows or more, independent of the other queries.

        Where the probed lists hold fewer than k, all lists are searched.

        Raises:
            InputError: a filter names a term that no article has.
        """
        rows = self._rows(wanted)
        count = sum(of_segment.count for of_segment in rows)
        candidates = max(CANDIDATES_PER_HIT * k, self.version.candidates)
        lists = self._lists_to_probe(wanted, count, candidates)
        if lists is None:
            return search_exactly(queries, self.segments, k, rows)
        found = self._search(queries, lists, candidates, rows)
        few = [q for q, best in enumerate(found) if len(best.rows) < min(k, count)]
        if few:
            for q, best in zip(few, self._search(queries[few], self.quantizer.nlist, candidates, rows), strict=True):
                found[q] = best
        return found

    def matches(self, lookups: Sequence[Lookup]) -> list[list[Match]]:
        """Return the k best articles of each lookup, independent of the other lookups."""
        results: list[list[Match]] = [[] for _ in lookups]
        for k, wanted in {(lookup.k, lookup.wanted) for lookup in lookups}:
            alike = [i for i, lookup in enumerate(lookups) if (lookup.k, lookup.wanted) == (k, wanted)]
            found = self.candidates(np.stack([lookups[i].vector for i in alike]), k, wanted)
            for i, rows in zip(alike, found, strict=True):
                results[i] = self._articles(rows, k)
        return results

    def _lists_to_probe(self, wanted: Wanted, count: int, candidates: int) -> int | None:
        """Return how many lists are searched, of which `count` rows may be found; None: each of these is read."""
        if self._exact:
            return None
        nprobe, nlist = self.version.nprobe, self.quantizer.nlist
        if not wanted.filters:
            return nprobe
        return lists_to_probe(count, self.version.articles, nprobe=nprobe, nlist=nlist, candidates=candidates)

    def _search(self, queries: Floats, nprobe: int, candidates: int, rows: Sequence[RowSet]) -> list[Candidates]:
        return search(
            queries,
            self.segments,
            self.quantizer,
            nprobe=nprobe,
            candidates=candidates,
            wanted=rows,
            stack=self._stack,
        )

    def _find_rows(self, wanted: Wanted) -> list[RowSet]:
        """Return the wanted live rows of each segment."""
        check_terms(wanted.filters, self.segments)
        if not wanted.conditions:
            return [segment.alive for segment in self.segments]
        return [RowSet(s.live & wanted_rows(wanted.conditions, s.facets)) for s in self.segments]

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

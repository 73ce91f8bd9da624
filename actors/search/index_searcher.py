"""The searcher: an index version, mapped and ready."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.engine.grouping import alike_together
from retrieval.files.checked import read_named
from retrieval.files.mapped import advise_random
from retrieval.index.centroids.quantizer import Quantizer
from retrieval.index.exact import inner_products
from retrieval.index.segment import OpenSegment, open_all
from retrieval.rows.named_rows import Name, parse_names
from retrieval.rows.row_numbers import RowSet, read_tombstones
from retrieval.search.filter_rows import Unknown, check_known, check_terms, lists_to_probe, unknown_terms, wanted_rows
from retrieval.search.mesh_tree import MeshTree
from retrieval.search.segment_search import Candidates, nearest, search, search_exactly, stack_small
from schemas.arrays import Floats, Pmids, Vector
from schemas.article import DisplayArticle
from schemas.filters import EVERYTHING, Wanted
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.protocols import ArticleKey, Lookup, Match, StoredArticle
from schemas.store import Store

CANDIDATES_PER_HIT = 5
"""Rows that are scored exactly for each article wanted: recall@100 is .974 with 5, .936 with 2.

docs/decisions/search.md has the figures."""
KEPT_FILTERS = 16
"""Filters whose rows are kept: a bit for each row of the version, and 4 bytes for each that is read exactly."""


class NamedArticle(NamedTuple):
    """An article that a text names; of several of one place the first in order of these fields is taken."""

    place: int
    """Of the articles that the text names."""
    order: int
    """Of the names that it may have there: an id comes before a title."""
    pmid: int
    match: Match


class _Found(NamedTuple):
    """A row of a name, of several the first in order of these fields."""

    order: int
    pmid: int
    segment: int
    row: int


class WantedCount(NamedTuple):
    """How many rows of a shard a search may find, and which terms of its filter no article there has."""

    rows: int
    unknown: Unknown


class ShardCandidates(NamedTuple):
    """What one shard, or all, found for a query."""

    limit: int
    """How many of all shards together are kept."""
    candidates: Candidates


class IndexSearcher:
    """Searches the segments of a version. Calls may come from several threads."""

    def __init__(
        self,
        store: Store,
        version: IndexVersion,
        *,
        exact: bool = False,
        shard: int | None = None,
        sparse: bool = False,
    ) -> None:
        """Map every file of the version, or of one of its shards.

        `exact` reads every row for every search: for measurements. `sparse` opens what it comes to need, and reads
        vectors where they are: for few searches.

        Raises:
            IntegrityError: one of them is not what the manifest names.
        """
        self.version, self._exact = version, exact
        self.quantizer = load_quantizer(store, version.quantizer)
        opened = open_segments(store, version, self.quantizer, sparse=sparse)
        self.segments = [segment for segment in opened if shard in (None, segment.manifest.shard)]
        if not sparse:
            store.check_room(sum(segment.manifest.bytes for segment in self.segments))
            open_all(self.segments)
        self._stack = stack_small(self.segments, self.quantizer)
        if not (exact or sparse):
            for segment in self.segments:
                advise_random(segment.rows)  # rows are read here and there: no others are to be read with them
        self._tree = load_mesh_tree(store, version)
        self._rows = lru_cache(KEPT_FILTERS)(self._find_rows)
        self._counts = lru_cache(KEPT_FILTERS)(self._count)
        if not sparse:
            self._rows(Wanted())  # for most searches

    def candidates(self, queries: Floats, k: int, wanted: Wanted = EVERYTHING) -> list[Candidates]:
        """Return for each of (q, d) queries its k best rows or more, independent of the other queries.

        Where the probed lists hold too few, all are searched. InputError: a filter names a term that no article has, or
        asks for what is not known of all articles of the version.
        """
        count, unknown = self.count(wanted)
        check_terms([unknown])
        found = self.scan(queries, k, wanted, count)
        few = [q for q, one in enumerate(found) if len(one.candidates.rows) < min(k, count)]
        if few:
            for q, one in zip(few, self.scan(queries[few], k, wanted, count, everywhere=True), strict=True):
                found[q] = one
        return [one.candidates for one in found]

    def nearest_pmids(self, queries: Floats, k: int) -> list[Pmids]:
        """Return for each of (q, d) queries the PMIDs of its candidates, in any order, without reading a vector."""
        few, found = list(range(len(queries))), dict[int, Pmids]()
        live = sum(segment.live_rows for segment in self.segments)
        for lists in (self.version.nprobe, self.quantizer.nlist):
            near = nearest(
                queries[few],
                self.segments,
                self.quantizer,
                nprobe=lists,
                candidates=max(CANDIDATES_PER_HIT * k, self.version.candidates),
                stack=self._stack,
            )
            found |= zip(few, (one.pmids for one in near), strict=True)
            if not (few := [q for q in few if len(found[q]) < min(k, live)]):
                break
        return [found[q] for q in range(len(queries))]

    def count(self, wanted: Wanted) -> WantedCount:
        """Return how many rows may be found; InputError: a filter asks for what is not known of all of the version."""
        return self._counts(wanted)

    def scan(
        self, queries: Floats, k: int, wanted: Wanted, count: int, *, everywhere: bool = False
    ) -> list[ShardCandidates]:
        """Return what is found here for each of (q, d) queries, where in all shards `count` rows are wanted."""
        candidates, rows = max(CANDIDATES_PER_HIT * k, self.version.candidates), self._rows(wanted)
        lists = self.quantizer.nlist if everywhere else self._lists_to_probe(wanted, count, candidates)
        if lists is None:
            return [ShardCandidates(k, best) for best in search_exactly(queries, self.segments, k, rows)]
        found = search(
            queries, self.segments, self.quantizer, nprobe=lists, candidates=candidates, wanted=rows, stack=self._stack
        )
        return [ShardCandidates(candidates, best) for best in found]

    def matches(self, lookups: Sequence[Lookup]) -> list[list[Match]]:
        """Return the k best articles of each lookup, independent of the other lookups, first those that it names."""

        def of_kind(kind: tuple[int, Wanted], alike: list[Lookup]) -> Iterator[list[Match]]:
            k, wanted = kind
            found = self.candidates(np.stack([lookup.vector for lookup in alike]), k, wanted)
            for lookup, best in zip(alike, found, strict=True):
                articles = self.display(best.segments[:k], best.rows[:k])
                named = self.named(lookup.name, lookup.vector, wanted)
                yield with_first(named, [*map(Match, best.scores[:k].tolist(), articles)], k)

        return alike_together(lookups, lambda lookup: (lookup.k, lookup.wanted), of_kind)

    def _lists_to_probe(self, wanted: Wanted, count: int, candidates: int) -> int | None:
        """Return how many lists are searched, of which `count` rows may be found; None: each of these is read."""
        if self._exact:
            return None
        nprobe, nlist = self.version.nprobe, self.quantizer.nlist
        if not wanted.filters:
            return nprobe
        return lists_to_probe(count, self.version.articles, nprobe=nprobe, nlist=nlist, candidates=candidates)

    def _find_rows(self, wanted: Wanted) -> list[RowSet]:
        if not wanted.conditions:
            return [segment.alive for segment in self.segments]
        return [RowSet(s.live & wanted_rows(wanted.conditions, s, self._tree)) for s in self.segments]

    def _count(self, wanted: Wanted) -> WantedCount:
        check_known(wanted.filters, self.version)
        unknown = unknown_terms(wanted.filters, self.segments, self._tree)
        return WantedCount(sum(rows.count for rows in self._rows(wanted)), unknown)

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        return await asyncio.to_thread(self.matches, lookups)

    async def stored(self, keys: list[ArticleKey]) -> list[StoredArticle | None]:
        return await asyncio.to_thread(self.articles, [key.id for key in keys])

    def warm(self) -> None:
        """Read what every search reads into memory: the lists; and search once."""
        for segment in self.segments:
            segment.read_lists()
        self.candidates(np.zeros((1, self.quantizer.dimension), np.float32), 1, Wanted())

    def articles(self, ids: Sequence[str]) -> list[StoredArticle | None]:
        """Return the live article of each text, retracted or not, as `named` reads it but for titles; None: none."""
        return [self._stored(text) for text in ids]

    def _stored(self, text: str) -> StoredArticle | None:
        names = [name for of_article in parse_names(text) for name in of_article if name.kind != "title"]
        found = self._first(names, [segment.alive for segment in self.segments])
        if found is None:
            return None
        segment = self.segments[found.segment]
        [article] = segment.display.read(np.array([found.row]))
        [vector] = segment.vectors(np.array([found.row]))
        return StoredArticle(vector.astype(np.float32), article, found.order)

    def named(self, text: str, vector: Vector, wanted: Wanted) -> list[NamedArticle]:
        """Return the wanted live articles whose ids, DOIs or title a text is; of one name that with the lowest PMID."""
        asked = parse_names(text)
        wanted_here = self._rows(wanted) if asked else []
        named = []
        for place, names in enumerate(asked):
            if found := self._first(names, wanted_here):
                segment = self.segments[found.segment]
                [score] = inner_products(vector, segment.vectors(np.array([found.row])))
                [article] = segment.display.read(np.array([found.row]))
                named.append(NamedArticle(place, found.order, found.pmid, Match(float(score), article, named=True)))
        return named

    def _first(self, names: Iterable[Name], wanted: Sequence[RowSet]) -> _Found | None:
        """Return the row of the first name that wanted rows have."""
        for order, name in enumerate(names):
            rows = enumerate(
                segment.names.find(name, here) for segment, here in zip(self.segments, wanted, strict=True)
            )
            found = [_Found(order, int(self.segments[n].pmids[row]), n, row) for n, row in rows if row is not None]
            if found:
                return min(found)
        return None

    def display(self, segments: NDArray[np.int64], rows: NDArray[np.int64]) -> list[DisplayArticle]:
        """Return the articles of rows (n,) of segments (n,), in their order."""
        return alike_together(
            [*zip(segments.tolist(), rows.tolist(), strict=True)],
            itemgetter(0),
            lambda segment, alike: self.segments[segment].display.read(np.array([row for _, row in alike])),
        )


def with_first(named: Iterable[NamedArticle], matches: list[Match], k: int) -> list[Match]:
    """Return k matches, the named ones before the others, in order of their places."""
    of_place: dict[int, NamedArticle] = {}
    for one in sorted(named, key=lambda one: one[:3]):
        of_place.setdefault(one.place, one)
    first = {one.pmid: one.match for one in of_place.values()}
    return [*first.values(), *(match for match in matches if match.article.pmid not in first)][:k]


def load_quantizer(store: Store, sha256: str) -> Quantizer:
    """Load a quantizer of the store; IntegrityError: it is not what it was."""
    return Quantizer(read_named(store, Layout.quantizer, sha256, "quantizer"))


def load_mesh_tree(store: Store, version: IndexVersion) -> MeshTree:
    """Load the MeSH tree of a version, an empty one where it has none; IntegrityError: it is not what it was."""
    if not version.mesh_tree:
        return MeshTree("")
    return MeshTree(read_named(store, Layout.mesh_tree, version.mesh_tree, "MeSH tree").decode())


def open_segments(
    store: Store, version: IndexVersion, quantizer: Quantizer, *, sparse: bool = False
) -> list[OpenSegment]:
    """Open the segments of a version, without the rows that are dead in it (see `OpenSegment`).

    Raises:
        IntegrityError: tombstones are not what the manifest names.
    """
    opened = []
    for segment in version.segments:
        buried = version.tombstones.get(segment.id)
        dead = read_tombstones(store, buried) if buried else None
        opened.append(OpenSegment(store, Layout.segment(segment.id), segment, quantizer, dead, sparse=sparse))
    return opened

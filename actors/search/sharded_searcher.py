"""The searchers of a service: of one shard, or of all, as CURRENT changes; and one over several shards.

Several answer as one index would, for the cut and the choice of lists are global.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from actors.engine.grouping import alike_together
from actors.search.index_searcher import IndexSearcher, NamedArticle, ShardCandidates, WantedCount, with_first
from actors.search.served_versions import Follower
from retrieval.search.filter_rows import check_terms
from retrieval.search.segment_search import NOTHING, Candidates, best_of_all
from schemas.article import DisplayArticle
from schemas.errors import NotReadyError
from schemas.filters import Wanted
from schemas.manifest import IndexVersion
from schemas.protocols import ArticleKey, Lookup, Match, StoredArticle
from schemas.store import Store

KEPT = 2
"""Versions: what CURRENT named before is still asked for by requests that began with it."""

T = TypeVar("T")


class ScanRequest(NamedTuple):
    """A lookup, as it is made in every shard."""

    lookup: Lookup
    live: int
    """Wanted rows of all shards."""
    everywhere: bool = False
    """In all lists."""

    @property
    def version(self) -> str:
        return self.lookup.version


class DisplayRequest(NamedTuple):
    """Rows (n,) of segments (n,) to be shown."""

    version: str
    segments: NDArray[np.int64]
    rows: NDArray[np.int64]


class ShardSearcher(Protocol):
    """A shard of every version: async, lists in, lists out; of what is here, to be joined with what others have."""

    async def count(self, lookups: list[Lookup]) -> list[WantedCount]: ...

    async def scan(self, scans: list[ScanRequest]) -> list[ShardCandidates]: ...

    async def named(self, lookups: list[Lookup]) -> list[list[NamedArticle]]: ...

    async def display(self, asked: list[DisplayRequest]) -> list[list[DisplayArticle]]: ...

    async def stored(self, keys: list[ArticleKey]) -> list[StoredArticle | None]: ...


class ShardedSearcher:
    """A `Searcher` over shards, which are asked at the same time."""

    def __init__(self, shards: Sequence[ShardSearcher]) -> None:
        self._shards = shards

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        return list(await asyncio.gather(*map(self._matches, lookups)))

    async def stored(self, keys: list[ArticleKey]) -> list[StoredArticle | None]:
        found = await self._all(lambda shard: shard.stored(keys))
        return [min(filter(None, of_key), key=_by_name, default=None) for of_key in zip(*found, strict=True)]

    async def _matches(self, lookup: Lookup) -> list[Match]:
        counts = await self._each(lambda shard: shard.count([lookup]))
        check_terms([count.unknown for count in counts])
        scan = ScanRequest(lookup, sum(count.rows for count in counts))
        best, shards = await self._scanned(scan)
        if len(best.rows) < min(lookup.k, scan.live):
            best, shards = await self._scanned(scan._replace(everywhere=True))
        k = lookup.k
        articles = self._articles(lookup.version, best.segments[:k], best.rows[:k], shards[:k])
        shown, named = await asyncio.gather(articles, self._named(lookup))
        return with_first(named, [*map(Match, best.scores[:k].tolist(), shown)], k)

    async def _scanned(self, scan: ScanRequest) -> tuple[Candidates, NDArray[np.int64]]:
        """Return the best of all shards, best first, and the shard of each."""
        found = await self._each(lambda shard: shard.scan([scan]))
        # Rows are told apart by their place in the concatenation, which the cut carries through as a row number.
        merged = Candidates._make(
            np.concatenate(columns) for columns in zip(NOTHING, *(one.candidates for one in found), strict=True)
        )
        places = merged._replace(rows=np.arange(len(merged.rows)))
        kept = best_of_all([places], found[0].limit).rows
        shards = np.repeat(np.arange(len(found)), [len(one.candidates.rows) for one in found])
        return Candidates._make(column[kept] for column in merged), shards[kept]

    async def _articles(
        self, version: str, segments: NDArray[np.int64], rows: NDArray[np.int64], shards: NDArray[np.int64]
    ) -> list[DisplayArticle]:
        """Return the articles of rows (n,) of segments (n,) of shards (n,)."""
        places = [np.flatnonzero(shards == number) for number in range(len(self._shards))]
        asked = [(n, place) for n, place in enumerate(places) if len(place)]
        found = await asyncio.gather(
            *(self._shards[n].display([DisplayRequest(version, segments[place], rows[place])]) for n, place in asked)
        )
        articles: dict[int, DisplayArticle] = {}
        for (_, place), [of_shard] in zip(asked, found, strict=True):
            articles |= zip(place.tolist(), of_shard, strict=True)
        return [articles[place] for place in range(len(rows))]

    async def _named(self, lookup: Lookup) -> list[NamedArticle]:
        if not lookup.name:
            return []
        found = await self._each(lambda shard: shard.named([lookup]))
        return [one for of_shard in found for one in of_shard]

    async def _each(self, ask: Callable[[ShardSearcher], Awaitable[Sequence[T]]]) -> list[T]:
        """Return the one answer of each shard."""
        return [answer for [answer] in await self._all(ask)]

    async def _all(self, ask: Callable[[ShardSearcher], Awaitable[Sequence[T]]]) -> list[Sequence[T]]:
        return list(await asyncio.gather(*(ask(shard) for shard in self._shards)))


Asked = TypeVar("Asked", Lookup, ArticleKey, ScanRequest, DisplayRequest)


class VersionSearcher:
    """Answers each lookup from the version that it names; versions share the pages of segments that they share."""

    def __init__(
        self, store: Store, version: IndexVersion, read: Callable[[], IndexVersion], shard: int | None = None
    ) -> None:
        """Map and warm what `read` returns, now and whenever it is another; `version` where that cannot be had.

        All of it, or one shard.

        Raises:
            IntegrityError: neither can be had: a file is not what its manifest names.
        """
        self._store, self._shard = store, shard
        self._opened: dict[str, IndexSearcher] = {}
        self._follower = Follower(store.root, read, self.open)
        self._follower.start()
        if not self._opened:
            self.open(version)

    def open(self, version: IndexVersion) -> None:
        """Map and warm a version beside the last one."""
        opened = dict(self._opened)
        searcher = opened.pop(version.id, None)
        if searcher is None:
            searcher = IndexSearcher(self._store, version, shard=self._shard)
            searcher.warm()
        kept = list(opened.items())[1 - KEPT :]
        self._opened = dict([*kept, (version.id, searcher)])

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        return await self._by_version(lookups, IndexSearcher.matches)

    async def stored(self, keys: list[ArticleKey]) -> list[StoredArticle | None]:
        return await self._by_version(keys, lambda searcher, asked: searcher.articles([key.id for key in asked]))

    async def count(self, lookups: list[Lookup]) -> list[WantedCount]:
        return await self._by_version(lookups, lambda searcher, alike: [searcher.count(one.wanted) for one in alike])

    async def scan(self, scans: list[ScanRequest]) -> list[ShardCandidates]:
        return await self._by_version(scans, _scanned)

    async def named(self, lookups: list[Lookup]) -> list[list[NamedArticle]]:
        return await self._by_version(
            lookups, lambda searcher, asked: [searcher.named(one.name, one.vector, one.wanted) for one in asked]
        )

    async def display(self, asked: list[DisplayRequest]) -> list[list[DisplayArticle]]:
        return await self._by_version(
            asked, lambda searcher, alike: [searcher.display(one.segments, one.rows) for one in alike]
        )

    async def _by_version(
        self, items: Sequence[Asked], method: Callable[[IndexSearcher, list[Asked]], list[Any]]
    ) -> list[Any]:
        def of_version(version: str, asked: list[Asked]) -> list[Any]:
            searcher = self._opened.get(version)
            if searcher is None:
                raise NotReadyError(f"version {version} is not loaded: {self._follower.problem or 'not yet'}")
            return method(searcher, asked)

        return await asyncio.to_thread(alike_together, items, lambda item: item.version, of_version)


def _by_name(stored: StoredArticle) -> tuple[int, int]:
    return stored.order, stored.article.pmid


def _scanned(searcher: IndexSearcher, scans: list[ScanRequest]) -> list[ShardCandidates]:
    """Scan once for all that differ in nothing but their vector."""

    def of_kind(kind: tuple[int, Wanted, int, bool], alike: list[ScanRequest]) -> list[ShardCandidates]:
        k, wanted, live, everywhere = kind
        return searcher.scan(np.stack([one.lookup.vector for one in alike]), k, wanted, live, everywhere=everywhere)

    return alike_together(scans, lambda scan: (scan.lookup.k, scan.lookup.wanted, scan.live, scan.everywhere), of_kind)

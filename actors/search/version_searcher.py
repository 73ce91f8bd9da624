"""The searcher of a service that goes on while versions change: CURRENT and the version before it, both mapped."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from actors.engine.alike import alike_together
from actors.search.index_searcher import IndexSearcher, NamedArticle, ShardCandidates, WantedCount
from actors.search.served_versions import Follower
from actors.search.sharded_searcher import DisplayRequest, ScanRequest
from schemas.article import DisplayArticle
from schemas.errors import NotReadyError
from schemas.filters import Wanted
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.protocols import ArticleKey, Lookup, Match, StoredArticle

T = TypeVar("T", Lookup, ArticleKey, ScanRequest, DisplayRequest)

KEPT = 2
"""Versions: what CURRENT named before is still asked for by requests that began with it."""


class VersionSearcher:
    """Answers each lookup from the version that it names; versions share the pages of segments that they share."""

    def __init__(
        self, layout: Layout, version: IndexVersion, read: Callable[[], IndexVersion], shard: int | None = None
    ) -> None:
        """Map and warm what `read` returns, now and whenever it is another; `version` where that cannot be had.

        All of it, or one shard.

        Raises:
            IntegrityError: neither can be had: a file is not what its manifest names.
        """
        self._layout, self._shard = layout, shard
        self._opened: dict[str, IndexSearcher] = {}
        self._follower = Follower(layout.root, read, self.open)
        self._follower.start()
        if not self._opened:
            self.open(version)

    def open(self, version: IndexVersion) -> None:
        """Map and warm a version beside the last one."""
        opened = dict(self._opened)
        searcher = opened.pop(version.id, None)
        if searcher is None:
            searcher = IndexSearcher(self._layout, version, shard=self._shard)
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

    async def named(self, lookups: list[Lookup]) -> list[NamedArticle | None]:
        return await self._by_version(
            lookups, lambda searcher, asked: [searcher.named(one.name, one.vector, one.wanted) for one in asked]
        )

    async def display(self, asked: list[DisplayRequest]) -> list[list[DisplayArticle]]:
        return await self._by_version(
            asked, lambda searcher, alike: [searcher.display(one.segments, one.rows) for one in alike]
        )

    async def _by_version(self, items: Sequence[T], method: Callable[[IndexSearcher, list[T]], list[Any]]) -> list[Any]:
        def of_version(version: str, asked: list[T]) -> list[Any]:
            searcher = self._opened.get(version)
            if searcher is None:
                raise NotReadyError(f"version {version} is not loaded: {self._follower.problem or 'not yet'}")
            return method(searcher, asked)

        return await asyncio.to_thread(alike_together, items, lambda item: item.version, of_version)


def _scanned(searcher: IndexSearcher, scans: list[ScanRequest]) -> list[ShardCandidates]:
    """Scan once for all that differ in nothing but their vector."""

    def of_kind(kind: tuple[int, Wanted, int, bool], alike: list[ScanRequest]) -> list[ShardCandidates]:
        k, wanted, live, everywhere = kind
        return searcher.scan(np.stack([one.lookup.vector for one in alike]), k, wanted, live, everywhere=everywhere)

    return alike_together(scans, lambda scan: (scan.lookup.k, scan.lookup.wanted, scan.live, scan.everywhere), of_kind)

"""The searcher of a service that goes on while versions change: CURRENT and the version before it, both mapped."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from actors.searcher import IndexSearcher
from actors.versions import Follower
from schemas.errors import NotReadyError
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.protocols import Key, Lookup, Match, Stored

T = TypeVar("T", Lookup, Key)

KEPT = 2
"""Versions: what CURRENT named before is still asked for by requests that began with it."""


class VersionSearcher:
    """Answers each lookup from the version that it names; versions share the pages of segments that they share."""

    def __init__(self, layout: Layout, version: IndexVersion, read: Callable[[], IndexVersion]) -> None:
        """Map and warm what `read` returns, now and whenever it is another; `version` where that cannot be had.

        Raises:
            IntegrityError: neither can be had: a file is not what its manifest names.
        """
        self._layout = layout
        self._opened: dict[str, IndexSearcher] = {}
        self._follower = Follower(read, self.open)
        self._follower.start()
        if not self._opened:
            self.open(version)

    def open(self, version: IndexVersion) -> None:
        """Map and warm a version beside the last one.

        Raises:
            IntegrityError: a file of it is not what its manifest names.
        """
        opened = dict(self._opened)
        searcher = opened.pop(version.id, None)
        if searcher is None:
            searcher = IndexSearcher(self._layout, version)
            searcher.warm()
        kept = list(opened.items())[1 - KEPT :]
        self._opened = dict([*kept, (version.id, searcher)])

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        """See `Searcher`."""
        return await self._by_version(lookups, IndexSearcher.matches)

    async def stored(self, keys: list[Key]) -> list[Stored | None]:
        """See `Searcher`."""
        return await self._by_version(keys, lambda searcher, asked: searcher.articles([key.id for key in asked]))

    async def _by_version(self, items: Sequence[T], method: Callable[[IndexSearcher, list[T]], list[Any]]) -> list[Any]:
        answers: list[Any] = [None] * len(items)
        for version in {item.version for item in items}:
            searcher = self._opened.get(version)
            if searcher is None:
                # What answers a request does not say where the store is.
                problem = (self._follower.problem or "not yet").replace(f"{self._layout.root}/", "")
                raise NotReadyError(f"version {version} is not loaded: {problem}")
            places = [i for i, item in enumerate(items) if item.version == version]
            found = await asyncio.to_thread(method, searcher, [items[i] for i in places])
            for place, answer in zip(places, found, strict=True):
                answers[place] = answer
        return answers

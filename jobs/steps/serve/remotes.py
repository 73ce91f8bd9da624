"""A handle to a deployment as encoder, searcher or re-ranker: what comes together is sent in one call."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from actors.search.index_searcher import NamedArticle, ShardCandidates, WantedCount
from actors.search.sharded_searcher import DisplayRequest, ScanRequest
from actors.service.coalescer import Coalescer
from actors.service.meter import Meter
from schemas.arrays import Vector
from schemas.article import DisplayArticle
from schemas.config import DeploymentConfig
from schemas.errors import OverloadedError, UnavailableError
from schemas.protocols import ArticleKey, ArticleText, Lookup, Match, Query, RerankScore, Scoring, StoredArticle

LOG = logging.getLogger("pubray")


class Remote:
    """The replicas behind a handle, each of which holds one `Part`."""

    def __init__(self, name: str, handle: DeploymentHandle[Any], settings: DeploymentConfig, meter: Meter) -> None:
        """`name` is said in errors and metrics."""
        self._name, self._settings, self._meter = name, settings, meter
        # By gRPC, whatever the driver's environment says: half the time and CPU of Ray's own calls.
        self._handle: DeploymentHandle[Any] = handle.options(_by_reference=False)
        self._methods: dict[str, Coalescer[Any, Any]] = {}

    async def ask(self, method: str, items: Sequence[Any]) -> list[Any]:
        """Return the answer to each item, together with those of others that ask the same method.

        Raises:
            OverloadedError: every replica is busy, and as many wait as may.
            UnavailableError: two replicas died over it.
            PubrayError: an item is refused.
        """
        if method not in self._methods:
            self._methods[method] = Coalescer(self._name, self._settings, partial(self._call, method))
        return await self._methods[method].ask(items)

    async def _call(self, method: str, items: list[Any]) -> Sequence[Any]:
        """Ask a replica, and another one if it dies meanwhile: all methods only read."""
        self._meter.call(self._name, len(items), sum(method.waiting for method in self._methods.values()))
        for last in (False, True):
            response = self._handle.call.remote(method, items)
            try:
                return list(await response)
            except asyncio.CancelledError:
                response.cancel()  # type: ignore[no-untyped-call]
                raise
            except BackPressureError:
                raise OverloadedError(f"every {self._name} is busy; try again") from None
            except (RayActorError, DeploymentUnavailableError):
                if last:
                    raise UnavailableError(f"the {self._name} does not answer; try again") from None
                LOG.warning("a replica of the %s died over %s; another is asked", self._name, method)
        raise AssertionError


class RemoteEncoder(Remote):
    """See `Encoder`."""

    async def encode(self, texts: list[Query | ArticleText]) -> list[Vector]:
        """See `Encoder`."""
        return await self.ask("encode", texts)

    async def count_tokens(self, texts: list[Query | ArticleText]) -> list[int]:
        """See `Encoder`."""
        return await self.ask("count_tokens", texts)


class RemoteSearcher(Remote):
    """See `Searcher`, and `ShardSearcher`."""

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        """See `Searcher`."""
        return await self.ask("search", lookups)

    async def stored(self, keys: list[ArticleKey]) -> list[StoredArticle | None]:
        """See `Searcher`."""
        return await self.ask("stored", keys)

    async def count(self, lookups: list[Lookup]) -> list[WantedCount]:
        """See `ShardSearcher`."""
        return await self.ask("count", lookups)

    async def scan(self, scans: list[ScanRequest]) -> list[ShardCandidates]:
        """See `ShardSearcher`."""
        return await self.ask("scan", scans)

    async def named(self, lookups: list[Lookup]) -> list[NamedArticle | None]:
        """See `ShardSearcher`."""
        return await self.ask("named", lookups)

    async def display(self, asked: list[DisplayRequest]) -> list[list[DisplayArticle]]:
        """See `ShardSearcher`."""
        return await self.ask("display", asked)


class RemoteReranker(Remote):
    """See `Reranker`."""

    async def score(self, scorings: list[Scoring]) -> list[list[RerankScore]]:
        """See `Reranker`."""
        return await self.ask("score", scorings)

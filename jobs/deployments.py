"""The deployments of the search service, and what joins them: api → encoder → searcher → re-ranker.

The classes of `actors/` know nothing of Ray. `Part` holds one of them in a replica; `Remote` gives a handle the face
of the protocol that the service wants, and sends what comes together in one call.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from fastapi import FastAPI
from ray import serve
from ray.exceptions import ActorDiedError, ActorUnavailableError
from ray.serve.config import BackpressureConfig
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from actors.api import create_app
from actors.assembly import check_encoder, load_encoder, load_reranker, ranking
from actors.coalescer import Coalescer
from actors.front import Front
from actors.json_log import log_to
from actors.problems import RETRY_SECONDS
from actors.service import SearchService
from actors.version_searcher import VersionSearcher
from actors.versions import Follower, Versions
from jobs.store import open_layout, served_version
from jobs.threads import available_threads
from schemas.config import Config, DeploymentConfig
from schemas.errors import OverloadedError, PubrayError, UnavailableError
from schemas.manifest import IndexVersion
from schemas.protocols import ArticleText, Key, Lookup, Match, Query, RerankScore, Scoring, Stored, Vector


def application(config: Config, version: IndexVersion, key_digests: frozenset[str] = frozenset()) -> serve.Application:
    """Return the deployments, bound to one another; they begin with a version, and follow CURRENT.

    A request needs one of the API keys whose sha256 are given; if none are, it needs no key.
    """
    threads = available_threads()
    parts: dict[str, tuple[Callable[[], Any], DeploymentConfig]] = {
        "encoder": (partial(load_encoder, config, version, threads), config.serve.encoder),
        "searcher": (partial(load_searcher, config, version), config.serve.searcher),
    }
    if config.rerank.kind != "none":
        parts["reranker"] = (partial(load_reranker, config, threads), config.serve.reranker)
    handles = {name: _deployment(Part, name, settings).bind(load) for name, (load, settings) in parts.items()}
    return _deployment(serve.ingress()(Api), "api", config.serve.api).bind(config, version, handles, key_digests)


def load_searcher(config: Config, version: IndexVersion) -> VersionSearcher:
    """Map a version, and each that is promoted after it."""
    layout = open_layout(config)
    return VersionSearcher(layout, version, partial(served_version, layout))


def _deployment(cls: type, name: str, settings: DeploymentConfig) -> serve.Deployment:
    scaling: dict[str, Any] = {"num_replicas": settings.min_replicas}
    if settings.max_replicas > settings.min_replicas:
        scaling = {
            "autoscaling_config": {
                "min_replicas": settings.min_replicas,
                "max_replicas": settings.max_replicas,
                "target_ongoing_requests": settings.target_ongoing_requests,
            }
        }
    return serve.deployment(
        name=name,
        max_ongoing_requests=settings.max_ongoing_requests,
        max_queued_requests=settings.max_waiting,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=RETRY_SECONDS),
        ray_actor_options={"num_cpus": settings.num_cpus, "num_gpus": settings.num_gpus},
        **scaling,
    )(cls)


class Part:
    """One of the plain objects in a replica."""

    def __init__(self, load: Callable[[], Any]) -> None:
        """Load the object."""
        self._object = load()

    async def call(self, method: str, items: list[Any]) -> list[Any]:
        """Answer the items by a method of the object; for one that is refused return the refusal."""
        return await answers(getattr(self._object, method), items)


async def answers(method: Callable[[list[Any]], Awaitable[list[Any]]], items: list[Any]) -> list[Any]:
    """Return the answers; for an item that is refused the refusal, so that those beside it are answered."""
    try:
        return list(await method(items))
    except PubrayError as error:
        if len(items) == 1:
            return [error]
        return [answer for item in items for answer in await answers(method, [item])]


class Remote:
    """A handle as encoder, searcher or re-ranker."""

    def __init__(self, name: str, handle: DeploymentHandle[Any], settings: DeploymentConfig) -> None:
        """`handle` leads to replicas of a `Part`."""
        self._name, self._handle = name, handle

        def method(name: str) -> Coalescer[Any, Any]:
            return Coalescer(
                partial(self._call, name),
                name=self._name,
                calls=settings.max_calls,
                batch=settings.max_batch_size,
                waiting=settings.max_waiting,
            )

        self._encode, self._count = map(method, ("encode", "count"))
        self._search, self._stored, self._score = map(method, ("search", "stored", "score"))

    async def encode(self, texts: list[Query | ArticleText]) -> list[Vector]:
        """See `Encoder`."""
        return await self._encode.ask(texts)

    async def count(self, texts: list[Query | ArticleText]) -> list[int]:
        """See `Encoder`."""
        return await self._count.ask(texts)

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        """See `Searcher`."""
        return await self._search.ask(lookups)

    async def stored(self, keys: list[Key]) -> list[Stored | None]:
        """See `Searcher`."""
        return await self._stored.ask(keys)

    async def score(self, scorings: list[Scoring]) -> list[list[RerankScore]]:
        """See `Reranker`."""
        return await self._score.ask(scorings)

    async def _call(self, method: str, items: list[Any]) -> Sequence[Any]:
        """Ask a replica, and another one if it dies meanwhile: all methods only read."""
        for last in (False, True):
            response = self._handle.call.remote(method, items)
            try:
                return list(await response)
            except asyncio.CancelledError:
                response.cancel()  # type: ignore[no-untyped-call]
                raise
            except BackPressureError:
                raise OverloadedError(f"every {self._name} is busy; try again") from None
            except (ActorDiedError, ActorUnavailableError, DeploymentUnavailableError):
                if last:
                    raise UnavailableError(f"the {self._name} does not answer; try again") from None
        raise AssertionError


class Api:
    """The HTTP side: parses, validates, and runs the search service over the handles."""

    def __init__(
        self,
        config: Config,
        version: IndexVersion,
        handles: dict[str, DeploymentHandle[Any]],
        key_digests: frozenset[str] = frozenset(),
    ) -> None:
        """`handles` lead to the deployments encoder, searcher and perhaps reranker."""
        log_to(sys.stderr)
        layout, settings = open_layout(config), config.serve
        encoder, searcher = (Remote(name, handles[name], getattr(settings, name)) for name in ("encoder", "searcher"))
        second = None
        if "reranker" in handles:
            reranker = Remote("reranker", handles["reranker"], settings.reranker)
            second = ranking(config, reranker, config.rerank.seconds)
        versions = Versions(version)

        def arrived(found: IndexVersion) -> None:
            check_encoder(config, found)
            versions.propose(found)

        Follower(partial(served_version, layout), arrived).start()
        self._service, self._seconds = SearchService(versions, encoder, searcher, second), settings.seconds
        # Ray Serve tells the request id in a header of its own accord.
        self._front = Front(key_digests, settings.cors_origins, settings.log_queries, tell_id=False)

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Return the application, as Ray Serve asks for it after construction."""
        return create_app(self._service, self._seconds, self._front)

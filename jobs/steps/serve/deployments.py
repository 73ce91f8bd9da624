"""The deployments of the search service, and what joins them: api → encoder → searcher → re-ranker.

The classes of `actors/` know nothing of Ray: `Part` holds one in a replica, `Remote` gives a handle its methods.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from fastapi import FastAPI
from ray import serve
from ray.exceptions import RayActorError
from ray.serve.config import BackpressureConfig
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from actors.fetch.stored_models import as_built, reranking_models, weight_bytes
from actors.search.rerankers import load_reranker
from actors.search.served_versions import Follower, ServedVersions
from actors.search.sharded_searcher import ShardedSearcher, VersionSearcher
from actors.service.assembly import load_encoder, ranking
from actors.service.coalescer import Coalescer
from actors.service.meter import Meter
from actors.service.refreshed_text import RefreshedText
from actors.service.search_service import SearchService
from actors.service.servable import check_servable
from actors.store.stores import open_store
from actors.web.api import create_app, newest_version
from actors.web.middleware.front import Front
from actors.web.middleware.problems import RETRY_SECONDS
from actors.web.middleware.request_log import log_to
from jobs.common.cluster.placement import place
from jobs.common.cluster.ray_metrics import ServiceMetrics, node_metrics
from jobs.common.store import served_version
from retrieval.operate import memory
from retrieval.operate.store_metrics import Metric, exposition, store_metrics
from schemas.config import Config, DeploymentConfig, Work
from schemas.errors import FailedError, OverloadedError, PubrayError, UnavailableError
from schemas.layout import LISTS
from schemas.manifest import IndexVersion

LOG = logging.getLogger("pubray")
SCALING = {"min_replicas", "max_replicas", "target_ongoing_requests", "upscale_delay_s", "downscale_delay_s"}
GRACE = 10.0
"""Seconds beside those that a request may take, after which a replica that is replaced is killed."""


def application(config: Config, version: IndexVersion, key_digests: frozenset[str] = frozenset()) -> serve.Application:
    """Return the deployments, bound to one another; they begin with a version, and follow CURRENT.

    A request needs one of the API keys whose sha256 are given; if none are, it needs no key.
    """
    config = as_built(config, version)
    store, serving = open_store(config), config.serve
    current = partial(served_version, store)
    handles = {}

    def deployed(cls: type, name: str, work: Work, settings: DeploymentConfig, held: float) -> serve.Deployment:
        reserved = place(config.placement, work, held, cores=settings.num_cpus, gpus=settings.num_gpus)
        return _deployment(cls, name, settings, reserved, serving.seconds)

    held = memory.of_engine(weight_bytes(config.encoder.query, config))
    encoder = deployed(Part, "encoder", "query_encoder", serving.encoder, held)
    handles["encoder"] = encoder.bind(partial(load_encoder, config, version))
    for shard in range(config.index.num_shards):
        name = "searcher" if config.index.num_shards == 1 else f"searcher-{shard}"
        segments = [segment for segment in version.segments if segment.shard == shard]
        held = memory.of_searcher(sum(s.rows for s in segments), sum(s.files[LISTS].bytes for s in segments))
        searcher = deployed(Part, name, "searcher", serving.searcher, held)
        handles[name] = searcher.bind(partial(VersionSearcher, store, version, current, shard))
    if config.rerank.kind != "none":
        held = memory.of_engine(sum(weight_bytes(model, config) for model in reranking_models(config)))
        reranker = deployed(Part, "reranker", "reranker", serving.reranker, held)
        handles["reranker"] = reranker.bind(partial(load_reranker, config))
    api = deployed(serve.ingress()(Api), "api", "api", serving.api, memory.PROCESS)
    return api.bind(config, version, handles, key_digests)


def _deployment(
    cls: type, name: str, settings: DeploymentConfig, reserved: dict[str, Any], seconds: float
) -> serve.Deployment:
    """Return a deployment of whose replicas each reserves so much of a node; a request may take so many seconds."""
    scaling: dict[str, Any] = {"num_replicas": settings.min_replicas}
    if settings.max_replicas > settings.min_replicas:
        scaling = {
            "autoscaling_config": {
                **settings.model_dump(include=SCALING),
                # Load is averaged over that time, and told three times in it, as by default.
                "look_back_period_s": settings.upscale_delay_s,
                "metrics_interval_s": settings.upscale_delay_s / 3,
            }
        }
    if settings.max_replicas_per_node:
        scaling["max_replicas_per_node"] = settings.max_replicas_per_node
    return serve.deployment(
        name=name,
        max_ongoing_requests=settings.max_ongoing_requests,
        max_queued_requests=settings.max_waiting,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=RETRY_SECONDS),
        ray_actor_options=reserved,
        # A replica that is replaced ends what it has in hand; Ray's own 20 s killed what was let take longer.
        graceful_shutdown_timeout_s=seconds + GRACE,
        **scaling,
    )(cls)


class Part:
    """One of the plain objects in a replica."""

    def __init__(self, load: Callable[[], Any]) -> None:
        _begin_log()
        self._object = load()

    async def call(self, method: str, items: list[Any]) -> list[Any]:
        """Answer the items by a method of the object; for one that fails return the error."""
        return await answers(getattr(self._object, method), items)


async def answers(method: Callable[[list[Any]], Awaitable[list[Any]]], items: list[Any]) -> list[Any]:
    """Return the answers; for an item that fails the error, so that those beside it are answered."""
    try:
        return list(await method(items))
    except Exception as error:
        if len(items) == 1 and isinstance(error, PubrayError):
            return [error]
        if len(items) == 1:
            # Its traceback is known here alone; what is returned can be told, and sent to another process.
            LOG.error("a part of the service fails", exc_info=error)
            return [FailedError("a part of the service failed; its log has the reason")]
    half = len(items) // 2
    return [*await answers(method, items[:half]), *await answers(method, items[half:])]


def _begin_log() -> None:
    """Log past Ray's stand-in for stderr, which looks at the whole stack for each line (a fifth of the api's time)."""
    log_to(sys.__stderr__ or sys.stderr)


class Remote:
    """The replicas behind a handle, each of which holds one `Part`: it has the methods of the object in there.

    They are async and take and return lists. Items that come together for one method are sent in one call.

    Raises:
        OverloadedError: every replica is busy, and as many wait as may.
        UnavailableError: two replicas died over it.
        PubrayError: an item is refused.
    """

    def __init__(self, name: str, handle: DeploymentHandle[Any], settings: DeploymentConfig, meter: Meter) -> None:
        """`name` is said in errors and metrics."""
        self._name, self._settings, self._meter = name, settings, meter
        # By gRPC, whatever the driver's environment says: half the time and CPU of Ray's own calls.
        self._handle: DeploymentHandle[Any] = handle.options(_by_reference=False)
        self._methods: dict[str, Coalescer[Any, Any]] = {}

    def __getattr__(self, method: str) -> Callable[[Sequence[Any]], Coroutine[Any, Any, list[Any]]]:
        if method.startswith("_"):
            raise AttributeError(method)
        if method not in self._methods:
            self._methods[method] = Coalescer(self._name, self._settings, partial(self._call, method))
        return self._methods[method].ask

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
        _begin_log()
        store, settings = open_store(config), config.serve
        meter = ServiceMetrics()
        encoder: Any = Remote("encoder", handles["encoder"], settings.encoder, meter)
        searchers = [name for name in handles if name.startswith("searcher")]
        shards: list[Any] = [Remote(name, handles[name], settings.searcher, meter) for name in searchers]
        searcher = shards[0] if len(shards) == 1 else ShardedSearcher(shards)
        second = None
        if "reranker" in handles:
            reranker: Any = Remote("reranker", handles["reranker"], settings.reranker, meter)
            second = ranking(config, reranker, config.rerank.seconds)
        versions = ServedVersions(version)

        def arrived(found: IndexVersion) -> None:
            check_servable(config, found)
            versions.propose(found)

        versions.follow(Follower(store.root, partial(served_version, store), arrived))
        self._service = SearchService(versions, encoder, searcher, second, cached=settings.cached, meter=meter)
        self._seconds = settings.seconds
        self._store_metrics = RefreshedText(lambda: exposition(store_metrics(store, config.index)))
        self._store_metrics.start()
        # Ray Serve tells the request id in a header of its own accord.
        self._front = Front(key_digests, settings.cors_origins, settings.log_queries, tell_id=False)

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Return the application, as Ray Serve asks for it after construction."""
        return create_app(self._service, self._seconds, self._front, self._metrics)

    async def _metrics(self) -> str:
        """Return the metrics of this node, which version answers, and what the store says of itself."""
        served = await newest_version(self._service, self._seconds)
        labels = {"version": served.version, "snapshot": served.snapshot}
        own = exposition([Metric("pubray_version_info", 1, labels)])
        return f"{await node_metrics()}{own}{self._store_metrics.text}"

"""The CURRENT version behind HTTP, on Ray Serve: api → encoder → searcher → reranker, each scaling by itself.

The classes of `actors/` know nothing of Ray. `Batched` puts one of them behind a handle, with dynamic batching;
`Remote` gives a handle the face of the protocol that the service wants.
"""

import argparse
import asyncio
import logging
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from fastapi import FastAPI
from ray import serve
from ray.serve.config import HTTPOptions
from ray.serve.handle import DeploymentHandle

from actors.api import create_app
from actors.assembly import (
    build_service,
    check_encoder,
    load_encoder,
    load_reranker,
    load_searcher,
)
from jobs.cluster import connect, is_private
from jobs.console import log
from jobs.failures import root_cause
from jobs.store import open_layout, served_version
from jobs.threads import available_threads
from schemas.config import Config, DeploymentConfig
from schemas.errors import PubrayError, StoreError, UsageError
from schemas.manifest import IndexVersion
from schemas.protocols import Lookup, Match, Query, RerankScore, Scoring, Vector

APP = "pubray"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the job's options."""
    parser.add_argument("--host", help="address to listen at (default: serve.host)")
    parser.add_argument("--port", type=int, help="port to listen at (default: serve.port)")


def run(config: Config, options: argparse.Namespace) -> dict[str, Any]:
    """Serve until Ctrl-C."""
    network = {"host": options.host or config.serve.host, "port": options.port or config.serve.port}
    url = deploy(config.model_copy(update={"serve": config.serve.model_copy(update=network)}))
    log(f"serve     ready at {url}, its documentation at {url}/docs; Ctrl-C stops it")
    seconds = wait()
    shutdown()
    return {"url": url, "seconds": round(seconds)}


def show(report: dict[str, Any]) -> str:
    """Return the report for a person."""
    return f"stopped {report['url']} after {report['seconds']} s"


def deploy(config: Config) -> str:
    """Start the service; return its URL when it is ready.

    Raises:
        UsageError: the port is in use.
        StoreError: there is no CURRENT version, or it belongs to another encoder.
    """
    version = served_version(open_layout(config))
    check_encoder(config, version)
    host, port = config.serve.host, config.serve.port
    _check_port(host, port)
    connect()
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    serve.start(http_options=HTTPOptions(host=host, port=port))
    try:
        serve.run(application(config, version), name=APP, route_prefix="/")
    except RuntimeError as error:
        details = serve.status().applications[APP]
        failures = [d.message for d in details.deployments.values() if d.message] or [str(root_cause(error))]
        raise StoreError(f"the service does not start: {_last_line(failures[0])}") from error
    return f"http://{host}:{port}"


def wait() -> float:
    """Return the seconds until Ctrl-C, or SIGTERM, which is how a cluster stops a container."""
    stopped = threading.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: stopped.set())
    start = time.monotonic()
    stopped.wait()
    return time.monotonic() - start


def shutdown() -> None:
    """Stop the service; requests in progress finish. On a private cluster the rest ends with this process."""
    serve.delete(APP)
    if not is_private():
        serve.shutdown()  # type: ignore[no-untyped-call]


def application(config: Config, version: IndexVersion) -> serve.Application:
    """Return the deployments of one version, bound to one another."""
    threads = available_threads()
    parts: dict[str, tuple[Callable[[], Any], str, DeploymentConfig]] = {
        "encoder": (partial(load_encoder, config, version, threads), "encode", config.serve.encoder),
        "searcher": (partial(load_searcher, config, version), "search", config.serve.searcher),
    }
    if config.rerank.kind != "none":
        parts["reranker"] = (partial(load_reranker, config, threads), "score", config.serve.reranker)
    handles = {
        name: _deployment(Batched, name, settings).bind(load, method, settings)
        for name, (load, method, settings) in parts.items()
    }
    api = _deployment(serve.ingress()(Api), "api", config.serve.api)
    return api.bind(config, version, handles)


def _deployment(cls: type, name: str, settings: DeploymentConfig) -> serve.Deployment:
    # A replica must admit a full batch and the next one, or batches starve.
    ongoing = 2 * settings.max_batch_size
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
        max_ongoing_requests=ongoing,
        max_queued_requests=settings.max_queued_requests,
        ray_actor_options={"num_cpus": settings.num_cpus, "num_gpus": settings.num_gpus},
        **scaling,
    )(cls)


class Batched:
    """One of the plain objects in a replica; requests that come together are answered together."""

    def __init__(self, load: Callable[[], Any], method: str, settings: DeploymentConfig) -> None:
        """Load the object; `method` is async and takes and gives a list."""
        self._method = getattr(load(), method)
        batching: Any = self.call
        batching.set_max_batch_size(settings.max_batch_size)
        batching.set_batch_wait_timeout_s(settings.batch_wait_ms / 1000)

    @serve.batch
    async def call(self, items: list[Any]) -> list[Any]:
        """Answer the items of several callers."""
        return await answers(self._method, items)


async def answers(method: Callable[[list[Any]], Awaitable[list[Any]]], items: list[Any]) -> list[Any]:
    """Return the answers; for an item that is refused the refusal, so that those beside it are answered."""
    try:
        return list(await method(items))
    except PubrayError as error:
        if len(items) == 1:
            return [error]
        return [answer for item in items for answer in await answers(method, [item])]


class Remote:
    """A handle as query encoder, searcher or re-ranker: each item goes its own way, so that batches mix callers."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        """`handle` leads to a `Batched`."""
        self._handle = handle

    async def encode(self, queries: list[Query]) -> list[Vector]:
        """See `QueryEncoder`."""
        return await self._all(queries)

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        """See `Searcher`."""
        return await self._all(lookups)

    async def score(self, scorings: list[Scoring]) -> list[list[RerankScore]]:
        """See `Reranker`."""
        return await self._all(scorings)

    async def _all(self, items: list[Any]) -> list[Any]:
        found = await asyncio.gather(*(self._handle.call.remote(item) for item in items))
        for answer in found:
            if isinstance(answer, PubrayError):
                raise answer
        return list(found)


class Api:
    """The HTTP side: parses, validates, and runs the search service over the handles."""

    def __init__(self, config: Config, version: IndexVersion, handles: dict[str, DeploymentHandle[Any]]) -> None:
        """`handles` lead to the deployments encoder, searcher and perhaps reranker."""
        parts = {name: Remote(handle) for name, handle in handles.items()}
        self._service = build_service(config, version, parts["encoder"], parts["searcher"], parts.get("reranker"))

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Return the application, as Ray Serve asks for it after construction."""
        return create_app(self._service)


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(f"cannot listen at {host}:{port}: {error.strerror}; choose another with --port") from None


def _last_line(text: str) -> str:
    """Return the line of a traceback that says what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "Error" in line.split(":")[0]), lines[-1])

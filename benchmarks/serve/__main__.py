"""The search service: what HTTP and Ray Serve add to the same stages in one process, and rivals. Ratios in one run.

    python -m benchmarks.serve load [--rerank] [--seconds 10] [--mode default|haproxy] [--rivals]
    python -m benchmarks.serve soak [--minutes 5]

Both need an index (`python -m benchmarks.index quality` leaves one over all 33 thousand articles) and wrk, a small
load tool in C (installed where root on Debian runs this), whose own CPU time is not counted. Every query is asked once,
and no answers are kept, so that no cache helps. CPU seconds are those of all processes of a service.

load: 1, 8 and 32 clients, each asking one query after another; then 32 clients who pause, so that they ask for 70 % of
what the service can do. One process is the same service object without HTTP, handles or other processes; the limit is
Ray Serve with the same deployments and nothing in them.
soak: minutes at 70 %, with promotions to and fro between two versions, and a searcher killed in the middle.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from actors.search.index_searcher import IndexSearcher
from actors.search.served_versions import ServedVersions
from actors.service.assembly import load_encoder, load_ranking
from actors.service.coalescer import Coalescer
from actors.service.search_service import SearchService
from actors.store.local_store import LocalStore
from benchmarks.index.made_index_store import folder_for
from benchmarks.serve.serve_load import (
    CLIENTS,
    MODES,
    PORT,
    Load,
    require_wrk,
    running,
    serving,
    show,
    texts,
    under_load,
)
from benchmarks.serve.serve_rivals import RIVALS, rival_serving
from benchmarks.serve.serve_soak import soak
from jobs.common.config import load_config
from jobs.common.console import say, table
from jobs.common.store import served_version
from schemas.arrays import Vector
from schemas.config import Config, DeploymentConfig
from schemas.errors import PubrayError
from schemas.protocols import Lookup, Match, Query, RerankScore, Scoring
from schemas.search import SearchRequest

BATCH, CALLS = 16, 2


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser()
    parts = parser.add_subparsers(dest="part", required=True)
    for name in ("load", "soak"):
        part = parts.add_parser(name)
        part.add_argument("--folder", type=Path, default=folder_for(33_000).with_name("index-quality"))
    parts.choices["load"].add_argument("--seconds", type=int, default=10)
    parts.choices["load"].add_argument("--rerank", action="store_true", help="with the re-ranker")
    parts.choices["load"].add_argument("--rivals", action="store_true", help="beside other services")
    parts.choices["load"].add_argument("--mode", choices=MODES, action="append", help="default: all of them")
    parts.choices["soak"].add_argument("--minutes", type=float, default=5)
    parts.choices["soak"].add_argument("--mode", choices=MODES, default="default")
    options = parser.parse_args()
    require_wrk()
    config = load_config(None, [], {"PUBRAY_STORE": str(options.folder / "store")})
    queries = texts(config)
    if options.part == "soak":
        soak(config, options.folder, queries, options.minutes, MODES[options.mode])
    else:
        load(config, queries, options)


def load(config: Config, queries: list[str], options: argparse.Namespace) -> None:
    """Print the stages in one process, then services under load."""
    alone = in_process(config, queries, options.seconds, rerank=options.rerank)
    show("one process, no HTTP", alone, alone)
    for mode in options.mode or MODES:
        with serving(config.store, MODES[mode]) as service:
            found = under_load(service, queries, options.seconds, rerank=options.rerank)
        show(f"pubray serve, {mode}", found, alone)
        with running([sys.executable, "-m", "benchmarks.serve.serve_empty", PORT], MODES[mode]) as service:
            show(f"Ray Serve, empty, {mode}", under_load(service, queries, options.seconds, rerank=False), alone)
    for name in RIVALS if options.rivals else ():
        try:
            with rival_serving(name, config, options.folder) as service:
                found = under_load(service, queries, options.seconds, rerank=False)
        except PubrayError as error:
            say(f"missing: {name}: {error}")
        else:
            show(name, found, alone)


class Together:
    """The stages as a replica has them: what comes together goes together."""

    def __init__(self, encoder: Any, searcher: Any, reranker: Any) -> None:
        """Take the objects that replicas hold."""
        settings = DeploymentConfig(target_ongoing_requests=CALLS, max_batch_size=BATCH, max_waiting=1000)
        self._encode: Coalescer[Any, Vector] = Coalescer("encoder", settings, encoder.encode)
        self._search: Coalescer[Lookup, list[Match]] = Coalescer("searcher", settings, searcher.search)
        if reranker:
            self._score: Coalescer[Scoring, list[RerankScore]] = Coalescer("reranker", settings, reranker.score)

    async def encode(self, items: list[Query]) -> list[Vector]:
        """See `Encoder`."""
        return await self._encode.ask(items)

    async def search(self, items: list[Lookup]) -> list[list[Match]]:
        """See `Searcher`."""
        return await self._search.ask(items)

    async def score(self, items: list[Scoring]) -> list[list[RerankScore]]:
        """See `Reranker`."""
        return await self._score.ask(items)


def in_process(config: Config, queries: list[str], seconds: int, *, rerank: bool) -> list[Load]:
    """Ask the same service in this process."""
    version = served_version(LocalStore(config.store))
    ranking = load_ranking(config) if rerank else None
    encoder, searcher = load_encoder(config, version), IndexSearcher(LocalStore(config.store), version)
    together: Any = Together(encoder, searcher, ranking and ranking.reranker)
    service = SearchService(
        ServedVersions(version), together, together, ranking and ranking._replace(reranker=together)
    )
    stages = asyncio.run(by_stage(service, queries[:200] if not rerank else queries[:20]))
    rows = [[name, float(np.percentile(times, 50)), float(np.percentile(times, 99))] for name, times in stages.items()]
    say(f"stages in one process, one query at a time\n{table(['stage', 'p50 ms', 'p99 ms'], rows)}\n")
    return [asyncio.run(ask(service, queries, clients, seconds)) for clients in CLIENTS]


async def by_stage(service: SearchService, queries: list[str]) -> dict[str, list[float]]:
    """Return the milliseconds of each stage for each query; the first one does not count."""
    found: dict[str, list[float]] = {}
    await service.search(SearchRequest(query="warm up"))
    for query in queries:
        [response] = await service.search(SearchRequest(query=query))
        for stage, milliseconds in response.milliseconds.items():
            found.setdefault(stage, []).append(milliseconds)
    return found


async def ask(service: SearchService, queries: list[str], clients: int, seconds: int) -> Load:
    """Let clients ask one query after another; the first second does not count."""
    times: list[float] = []
    remaining = iter(queries)

    async def client(until: float) -> None:
        while (start := time.perf_counter()) < until:
            await service.search(SearchRequest(query=next(remaining)))
            times.append(time.perf_counter() - start)

    await asyncio.gather(*(client(time.perf_counter() + 1) for _ in range(clients)))
    times.clear()
    busy, start = time.process_time(), time.perf_counter()
    await asyncio.gather(*(client(time.perf_counter() + seconds) for _ in range(clients)))
    taken, used = time.perf_counter() - start, time.process_time() - busy
    p50, p99 = np.percentile(times, [50, 99]) * 1e3
    return Load(clients, len(times) / taken, p50, p99, 0, used / len(times) * 1e3)


if __name__ == "__main__":
    main()

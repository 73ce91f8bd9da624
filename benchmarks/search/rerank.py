"""Quality and time of re-ranking against the number of candidates, on the CURRENT version of a store.

    python -m benchmarks.search.rerank [--store pubray-store] [--config FILE] [--topics 100]

MeSH topics as in `pubray evaluate`. Each row is the same service with another number of candidates; the time is that of
the re-ranker alone, one query at a time, all cores. The default in the configuration is chosen from this table.
"""

import argparse
import asyncio
from statistics import median
from typing import Any

from actors.engine.cpu_threads import available_threads
from actors.search.index_searcher import IndexSearcher
from actors.search.served_versions import ServedVersions
from actors.service.assembly import load_encoder, load_ranking
from actors.service.search_service import SearchService
from actors.store.local_store import LocalStore
from jobs.common.config import load_config
from jobs.common.console import Progress, say, table
from jobs.common.store import served_version
from retrieval.evaluate.judgments import Judgments, headings, mesh_topics
from retrieval.evaluate.scores import measure, paired_difference
from schemas.search import SearchRequest, SearchResponse

CANDIDATES = (5, 10, 20, 50, 100)
DEPTH = 100
MEASURE = "nDCG@10"


def main() -> None:
    """Print one row per number of candidates."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", default="pubray-store")
    parser.add_argument("--config")
    parser.add_argument("--topics", type=int, default=100)
    options = parser.parse_args()
    config = load_config(options.config, [], {"PUBRAY_STORE": options.store})
    objects, threads = LocalStore(config.store), available_threads()
    version = served_version(objects)
    searcher = IndexSearcher(objects, version)
    judgments = mesh_topics(headings(searcher.segments), options.topics, seed=0)
    encoder, second = load_encoder(config, version), load_ranking(config)
    service = SearchService(ServedVersions(version), encoder, searcher, second)
    plain = measured(judgments, asyncio.run(ask(service, judgments, None)))
    rows: list[list[Any]] = [["none", mean(plain), None, None, 0.0]]
    for candidates in CANDIDATES:
        responses = asyncio.run(ask(service, judgments, candidates))
        values = measured(judgments, responses)
        difference = paired_difference(plain, values)
        interval = str(difference)
        milliseconds = median(r.milliseconds["rerank"] for r in responses.values())
        rows.append([str(candidates), mean(values), interval, milliseconds, milliseconds / candidates])
    say(f"{version.articles:,} articles, {len(judgments.queries)} MeSH topics, {config.rerank.kind}, {threads} cores")
    say(table(["candidates", MEASURE, "against none [95 %]", "ms a query (median)", "ms a candidate"], rows))


async def ask(service: SearchService, judgments: Judgments, candidates: int | None) -> dict[str, SearchResponse]:
    """Return the answers; without candidates, as retrieved."""
    progress = Progress("ask", len(judgments.queries), f"queries with {candidates or 'no'} candidates")
    responses = {}
    for query, text in judgments.queries.items():
        request = SearchRequest(query=text, k=DEPTH, rerank=candidates is not None, candidates=candidates, direct=False)
        [responses[query]] = await service.search(request)
        progress.add(1)
    progress.finish()
    return responses


def measured(judgments: Judgments, responses: dict[str, SearchResponse]) -> dict[str, float]:
    """Return the measure of each query."""
    return measure(judgments, {query: [hit.id for hit in r.hits] for query, r in responses.items()})[MEASURE]


def mean(values: dict[str, float]) -> float:
    """Return the mean over the queries."""
    return sum(values.values()) / len(values)


if __name__ == "__main__":
    main()

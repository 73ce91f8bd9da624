"""Measure the CURRENT version against judgments: retrieval alone, re-ranked, and the difference."""

import asyncio
from pathlib import Path
from typing import Annotated

from pydantic import ValidationError

from actors.fetch.stored_models import as_built
from actors.search.index_searcher import IndexSearcher
from actors.search.served_versions import ServedVersions
from actors.service.assembly import load_encoder, load_ranking
from actors.service.search_service import SearchService
from actors.store.stores import open_store
from jobs.common.console import Progress, table
from jobs.common.options import TASK, Option
from jobs.common.store import served_version
from retrieval.evaluate.judgments import Judgments, headings, mesh_topics, read_judgments
from retrieval.evaluate.scores import score, trec_run
from retrieval.files.atomic import write_file
from schemas.base import first_wrong
from schemas.config import Config
from schemas.errors import InputError, UsageError
from schemas.quality_report import EvaluateReport
from schemas.search import SearchRequest, SearchResponse

DEPTH = 100
"""Hits per query: as deep as the measures look."""

MESH_TOPICS = Option("N topics judged by NLM's indexers, from the indexed articles", metavar="N")


def run(
    config: Config,
    *,
    beir: Annotated[str | None, Option("a BEIR folder: queries.jsonl and qrels/test.tsv", metavar="DIR")] = None,
    queries: Annotated[str | None, Option('{"_id", "text"} per line; with --qrels', metavar="FILE")] = None,
    qrels: Annotated[str | None, Option("query, article, grade per line; with --queries", metavar="FILE")] = None,
    mesh_topics: Annotated[int | None, MESH_TOPICS] = None,
    no_rerank: Annotated[bool, Option("measure retrieval alone")] = False,
    exact: Annotated[bool, Option("read every row instead of asking the index")] = False,
    candidates: Annotated[int | None, Option("articles that are re-ranked", metavar="N")] = None,
    task: Annotated[str | None, TASK] = None,
    query_length: Annotated[int | None, Option("tokens of a query, instead of the encoder's", metavar="N")] = None,
    run: Annotated[str | None, Option("write the rankings as a TREC run", metavar="FILE")] = None,
) -> EvaluateReport:
    """Ask all queries and score the answers.

    Raises:
        UsageError: the judgments are not named, or more than once, or a number is too small.
        InputError: a file cannot be read, or a query cannot be asked.
        StoreError: nothing is served.
    """
    if query_length is not None:
        config = _with_query_length(config, query_length)
    store = open_store(config)
    version = served_version(store)
    config = as_built(config, version)
    searcher = IndexSearcher(store, version, exact=exact)
    judgments = _judgments(searcher, beir, queries, qrels, mesh_topics)
    requests = {query: _request(query, text, task, candidates) for query, text in judgments.queries.items()}
    second = None if no_rerank else load_ranking(config)
    service = SearchService(ServedVersions(version), load_encoder(config, version), searcher, second)
    responses = asyncio.run(_ask_all(service, requests))
    if run:
        write_file(run, "".join(trec_run(responses)).encode())
    return EvaluateReport(
        version=version.id,
        articles=version.articles,
        queries=len(judgments.queries),
        candidates=candidates or config.rerank.candidates,
        exact=exact,
        **score(judgments, responses, reranked=second is not None).model_dump(exclude_unset=True),
    )


def show(report: EvaluateReport) -> str:
    head = f"version {report.version}, {report.articles:,} articles, {report.queries} queries"
    if report.reranked is None or report.difference is None:
        return f"{head}\n{table(['measure', 'retrieval'], report.retrieval.items())}"
    rows = [
        [m, value, report.reranked[m], f"{d.mean:+.3f} [{d.low:+.3f}, {d.high:+.3f}]"]
        for (m, value), d in zip(report.retrieval.items(), report.difference.values(), strict=True)
    ]
    headers = ["measure", "retrieval", "re-ranked", "difference [95 %]"]
    return f"{head}, {report.candidates} candidates re-ranked\n{table(headers, rows)}"


def _judgments(
    searcher: IndexSearcher, beir: str | None, queries: str | None, qrels: str | None, topics: int | None
) -> Judgments:
    """Return the queries and judgments that the options name.

    Raises:
        UsageError: they name none, or several.
        InputError: a file cannot be read, or no query has judgments.
    """
    if sum([bool(beir), bool(queries or qrels), topics is not None]) != 1 or bool(queries) != bool(qrels):
        raise UsageError("name the judgments: --beir DIR, or --queries FILE with --qrels FILE, or --mesh-topics N")
    if topics is not None:
        if topics < 1:
            raise UsageError(f"--mesh-topics {topics}: give a number from 1")
        judgments = mesh_topics(headings(searcher.segments), topics, seed=0)
    elif beir:
        judgments = read_judgments(Path(beir, "queries.jsonl"), Path(beir, "qrels", "test.tsv"))
    else:
        judgments = read_judgments(Path(queries or ""), Path(qrels or ""))
    if not judgments.queries:
        raise InputError("no query has judgments; check that the ids of queries and judgments are the same")
    return judgments


async def _ask_all(service: SearchService, requests: dict[str, SearchRequest]) -> dict[str, SearchResponse]:
    progress = Progress("evaluate", len(requests), "queries")
    responses = {}
    for query, request in requests.items():
        [responses[query]] = await service.search(request)
        progress.add(1)
    progress.finish()
    return responses


def _with_query_length(config: Config, tokens: int) -> Config:
    if tokens < 1:
        raise UsageError(f"--query-length {tokens}: give a number from 1")
    return config.with_values(encoder={"query": {"max_length": tokens}})


def _request(query: str, text: str, task: str | None, candidates: int | None) -> SearchRequest:
    try:
        return SearchRequest(
            query=text, task=task, k=DEPTH, candidates=candidates, include_retracted=True, direct=False
        )
    except ValidationError as error:
        raise InputError(f"query {query!r}: {first_wrong(error)}; correct it") from None

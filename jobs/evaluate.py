"""Measure the CURRENT version against judgments: retrieval alone, re-ranked, and the difference."""

import argparse
import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from actors.search.index_searcher import IndexSearcher
from actors.search.served_versions import ServedVersions
from actors.service.assembly import load_encoder, load_ranking
from actors.service.search_service import SearchService
from jobs.common.console import Progress, table
from jobs.common.cpu_threads import available_threads
from jobs.common.store import open_layout, served_version
from retrieval.evaluate.judgments import Heading, Judgments, mesh_topics, read_qrels, read_queries
from retrieval.evaluate.rank_metrics import measure, paired_difference
from retrieval.files.atomic import write_bytes
from schemas.config import Config
from schemas.errors import InputError, UsageError
from schemas.search import SearchRequest, SearchResponse

DEPTH = 100
"""Hits per query: as deep as the measures look."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the job's options."""
    parser.add_argument("--beir", metavar="DIR", help="a BEIR folder: queries.jsonl and qrels/test.tsv")
    parser.add_argument("--queries", metavar="FILE", help='{"_id", "text"} per line; with --qrels')
    parser.add_argument("--qrels", metavar="FILE", help="query, article, grade per line; with --queries")
    parser.add_argument(
        "--mesh-topics",
        type=int,
        metavar="N",
        help="N topics judged by NLM's indexers, from the indexed articles",
    )
    parser.add_argument("--no-rerank", action="store_true", help="measure retrieval alone")
    parser.add_argument("--exact", action="store_true", help="read every row instead of asking the index")
    parser.add_argument("--candidates", type=int, metavar="N", help="articles that are re-ranked")
    parser.add_argument("--task", metavar="TEXT", help="the instruction, for encoders that take one")
    parser.add_argument("--query-length", type=int, metavar="N", help="tokens of a query, instead of the encoder's")
    parser.add_argument("--run", metavar="FILE", help="write the rankings as a TREC run")


def run(config: Config, options: argparse.Namespace) -> dict[str, Any]:
    """Ask all queries and score the answers."""
    if options.query_length is not None:
        config = _with_query_length(config, options.query_length)
    version = served_version(open_layout(config))
    threads = available_threads()
    searcher = IndexSearcher(open_layout(config), version, exact=options.exact)
    judgments = load_judgments(options, searcher)
    second = None if options.no_rerank else load_ranking(config, threads)
    service = SearchService(ServedVersions(version), load_encoder(config, version, threads), searcher, second)
    responses = asyncio.run(_ask_all(service, judgments, options))
    if options.run:
        write_bytes(options.run, "".join(_trec_run(responses)).encode())
    return {
        "version": version.id,
        "articles": version.articles,
        "queries": len(judgments.queries),
        "candidates": options.candidates or config.rerank.candidates,
        "exact": options.exact,
        **score(judgments, responses, reranked=service.version().reranker != "none"),
    }


def load_judgments(options: argparse.Namespace, searcher: IndexSearcher) -> Judgments:
    """Return the queries and judgments that the options name.

    Raises:
        UsageError: they name none, or several.
        InputError: a file cannot be read, or no query has judgments.
    """
    sources = [bool(options.beir), bool(options.queries or options.qrels), options.mesh_topics is not None]
    if sum(sources) != 1 or bool(options.queries) != bool(options.qrels):
        raise UsageError("name the judgments: --beir DIR, or --queries FILE with --qrels FILE, or --mesh-topics N")
    if options.mesh_topics is not None and options.mesh_topics < 1:
        raise UsageError(f"--mesh-topics {options.mesh_topics}: give a number from 1")
    if options.mesh_topics is not None:
        judgments = mesh_topics(_headings(searcher), options.mesh_topics, seed=0)
    else:
        beir = Path(options.beir or "")
        queries, qrels = (
            (beir / "queries.jsonl", beir / "qrels" / "test.tsv")
            if options.beir
            else (Path(options.queries), Path(options.qrels))
        )
        relevance = read_qrels(_lines(qrels), str(qrels))
        texts = read_queries(_lines(queries), str(queries))
        judgments = Judgments({q: text for q, text in texts.items() if q in relevance}, relevance, None)
    if not judgments.queries:
        raise InputError("no query has judgments; check that the ids of queries and judgments are the same")
    return judgments


def score(judgments: Judgments, responses: dict[str, SearchResponse], *, reranked: bool) -> dict[str, Any]:
    """Return the measures of the answers, as retrieved and as re-ranked; per query too."""
    retrieval = {
        query: [h.id for h in sorted(r.hits, key=lambda h: (-h.retrieval_score, h.id))]
        for query, r in responses.items()
    }
    systems = {"retrieval": measure(judgments, retrieval)}
    if reranked:
        systems["reranked"] = measure(judgments, {q: [h.id for h in r.hits] for q, r in responses.items()})
    report: dict[str, Any] = {
        name: {m: sum(v.values()) / len(v) for m, v in values.items()} for name, values in systems.items()
    }
    if reranked:
        report["difference"] = {
            m: paired_difference(systems["retrieval"][m], systems["reranked"][m])._asdict()
            for m in systems["retrieval"]
        }
    report["per_query"] = {
        query: {
            "query": text,
            **{s: {m: v[query] for m, v in values.items()} for s, values in systems.items()},
        }
        for query, text in judgments.queries.items()
    }
    return report


def show(report: dict[str, Any]) -> str:
    """Return the measures as a table."""
    head = f"version {report['version']}, {report['articles']:,} articles, {report['queries']} queries"
    if "reranked" not in report:
        return f"{head}\n{table(['measure', 'retrieval'], report['retrieval'].items())}"
    rows = [
        [
            m,
            value,
            report["reranked"][m],
            "{mean:+.3f} [{low:+.3f}, {high:+.3f}]".format(**report["difference"][m]),
        ]
        for m, value in report["retrieval"].items()
    ]
    headers = ["measure", "retrieval", "re-ranked", "difference [95 %]"]
    return f"{head}, {report['candidates']} candidates re-ranked\n{table(headers, rows)}"


async def _ask_all(
    service: SearchService, judgments: Judgments, options: argparse.Namespace
) -> dict[str, SearchResponse]:
    requests = {query: _request(query, text, options) for query, text in judgments.queries.items()}
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
    encoder = config.encoder
    query = encoder.query.model_copy(update={"max_length": tokens})
    return config.model_copy(update={"encoder": encoder.model_copy(update={"query": query})})


def _request(query: str, text: str, options: argparse.Namespace) -> SearchRequest:
    try:
        return SearchRequest(
            query=text, task=options.task, k=DEPTH, candidates=options.candidates, include_retracted=True, direct=False
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"query {query!r}: {first['loc'][0]}: {first['msg'].lower()}; correct it") from None


def _headings(searcher: IndexSearcher) -> Iterator[Heading]:
    for segment in searcher.segments:
        columns = segment.articles.select(["pmid", "mesh"])
        for start in range(0, len(columns), 4096):
            live = columns.slice(start, 4096).filter(pa.array(segment.live[start : start + 4096]))
            for pmid, mesh in zip(*(column.to_pylist() for column in live.columns), strict=True):
                yield Heading(str(pmid), mesh)


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8") as file:
            yield from file
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name an existing file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason}); name a text file") from None


def _trec_run(responses: dict[str, SearchResponse]) -> Iterator[str]:
    for query, response in responses.items():
        for hit in response.hits:
            yield f"{query} Q0 {hit.id} {hit.rank} {-hit.rank} pubray\n"

"""Measure the CURRENT version against judgments: retrieval alone, re-ranked, and the difference.

Judgments of articles for articles measure its vectors alone, and scored pairs of sentences the encoder alone.
"""

import asyncio
from pathlib import Path
from typing import Annotated

from pydantic import ValidationError

from actors.evaluate.sentence_similarity import score_pairs
from actors.fetch.stored_models import as_built
from actors.search.index_searcher import IndexSearcher
from actors.search.served_versions import ServedVersions
from actors.service.assembly import load_encoder, load_ranking
from actors.service.search_service import SearchService
from actors.store.stores import open_store
from jobs.common.console import Progress, table
from jobs.common.options import TASK, Option
from jobs.common.store import served_version
from retrieval.evaluate.judgments import Judgments, headings, mesh_topics, read_article_judgments, read_judgments
from retrieval.evaluate.scores import score, trec_run
from retrieval.evaluate.similar_articles import rank_judged, score_similar
from retrieval.files.atomic import write_file
from schemas.base import first_wrong
from schemas.config import Config
from schemas.errors import InputError, UsageError
from schemas.quality_report import ArticlesReport, EvaluateReport, PairsReport
from schemas.search import SearchRequest, SearchResponse

DEPTH = 100
"""Hits per query: as deep as the measures look."""

MESH_TOPICS = Option("N topics judged by NLM's indexers, from the indexed articles", metavar="N")
ARTICLES = Option("article, judged article, grade per line, or RELISH_v1.json: those judged are ranked", metavar="FILE")
PAIRS = Option("sentence, sentence, score per line, with tabs: by the query tower, without a store", metavar="FILE")
Evaluation = EvaluateReport | ArticlesReport | PairsReport


def run(
    config: Config,
    *,
    beir: Annotated[str | None, Option("a BEIR folder: queries.jsonl and qrels/test.tsv", metavar="DIR")] = None,
    queries: Annotated[str | None, Option('{"_id", "text"} per line; with --qrels', metavar="FILE")] = None,
    qrels: Annotated[str | None, Option("query, article, grade per line; with --queries", metavar="FILE")] = None,
    mesh_topics: Annotated[int | None, MESH_TOPICS] = None,
    articles: Annotated[str | None, ARTICLES] = None,
    pairs: Annotated[str | None, PAIRS] = None,
    no_rerank: Annotated[bool, Option("measure retrieval alone")] = False,
    exact: Annotated[bool, Option("read every row instead of asking the index")] = False,
    candidates: Annotated[int | None, Option("articles that are re-ranked", metavar="N")] = None,
    task: Annotated[str | None, TASK] = None,
    query_length: Annotated[int | None, Option("tokens of a query, instead of the encoder's", metavar="N")] = None,
    run: Annotated[str | None, Option("write the rankings as a TREC run", metavar="FILE")] = None,
) -> Evaluation:
    """Ask all queries and score the answers; or rank articles, or compare sentences.

    Raises:
        UsageError: the judgments are not named, or more than once, an option is not for them, or a number is too small.
        InputError: a file cannot be read, or a query cannot be asked.
        StoreError: nothing is served.
    """
    _check_named(beir, queries, qrels, mesh_topics, articles, pairs)
    if kind := "--articles" if articles else "--pairs" if pairs else None:
        _refuse(kind, no_rerank=no_rerank, exact=exact, candidates=candidates, run=run)
    if articles:
        _refuse("--articles", task=task, query_length=query_length)
        return _similar(config, articles)
    if query_length is not None:
        config = _with_query_length(config, query_length)
    if pairs:
        return score_pairs(config, Path(pairs), task)
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


def show(report: Evaluation) -> str:
    if isinstance(report, ArticlesReport):
        return _show_articles(report)
    if isinstance(report, PairsReport):
        return _show_pairs(report)
    head = f"version {report.version}, {report.articles:,} articles, {report.queries} queries"
    if report.reranked is None or report.difference is None:
        return f"{head}\n{table(['measure', 'retrieval'], report.retrieval.items())}"
    rows = [
        [m, value, report.reranked[m], str(d)]
        for (m, value), d in zip(report.retrieval.items(), report.difference.values(), strict=True)
    ]
    headers = ["measure", "retrieval", "re-ranked", "difference [95 %]"]
    return f"{head}, {report.candidates} candidates re-ranked\n{table(headers, rows)}"


def _show_articles(report: ArticlesReport) -> str:
    return (
        f"version {report.version}, {report.articles:,} articles; {report.queries:,} queries, "
        f"{report.judgments:,} judgments\nleft out, for the version has not their article: {report.absent_queries:,} "
        f"queries, {report.absent_judgments:,} judgments\n{table(['measure', report.encoder], report.measures.items())}"
    )


def _show_pairs(report: PairsReport) -> str:
    found = (("inner product", report.inner_product), ("cosine", report.cosine))
    rows = [[name, of.pearson, of.spearman] for name, of in found]
    return f"{report.encoder}, {report.pairs:,} pairs of sentences\n{table(['score', 'Pearson', 'Spearman'], rows)}"


def _check_named(
    beir: str | None,
    queries: str | None,
    qrels: str | None,
    topics: int | None,
    articles: str | None,
    pairs: str | None,
) -> None:
    """Check that the options name one set of judgments; UsageError: none, or several."""
    named = [bool(beir), bool(queries or qrels), topics is not None, bool(articles), bool(pairs)]
    if sum(named) != 1 or bool(queries) != bool(qrels):
        raise UsageError(
            "name the judgments: --beir DIR, or --queries FILE with --qrels FILE, or --mesh-topics N, or "
            "--articles FILE, or --pairs FILE"
        )
    if topics is not None and topics < 1:
        raise UsageError(f"--mesh-topics {topics}: give a number from 1")


def _refuse(judgments: str, **given: object) -> None:
    """Refuse (UsageError) options that do nothing with such judgments."""
    for name, value in given.items():
        if value is not None and value is not False:
            raise UsageError(f"--{name.replace('_', '-')} does nothing with {judgments}; leave it out")


def _judgments(
    searcher: IndexSearcher, beir: str | None, queries: str | None, qrels: str | None, topics: int | None
) -> Judgments:
    """Return the queries and judgments that the options name.

    InputError: a file cannot be read, or no query has judgments.
    """
    if topics is not None:
        judgments = mesh_topics(headings(searcher.segments), topics, seed=0)
    elif beir:
        judgments = read_judgments(Path(beir, "queries.jsonl"), Path(beir, "qrels", "test.tsv"))
    else:
        judgments = read_judgments(Path(queries or ""), Path(qrels or ""))
    if not judgments.queries:
        raise InputError("no query has judgments; check that the ids of queries and judgments are the same")
    return judgments


def _similar(config: Config, file: str) -> ArticlesReport:
    """Rank the articles that a file judges for each; InputError: it cannot be read, or is of other articles."""
    judgments, store = read_article_judgments(Path(file)), open_store(config)
    version = served_version(store)
    searcher = IndexSearcher(store, version)
    progress, rankings = Progress("evaluate", len(judgments.queries), "articles"), {}
    for query, article in judgments.queries.items():
        rankings[query] = rank_judged(article, judgments.relevance[query], searcher.segments)
        progress.add(1)
    progress.finish()
    if not any(rankings.values()):
        raise InputError(
            f"{file}: {len(rankings):,} articles as queries, and version {version.id} has none of them together with "
            "one that was judged for it; name judgments of its articles"
        )
    scores = score_similar(judgments, rankings)
    about = {"version": version.id, "articles": version.articles, "encoder": version.encoder.name}
    return ArticlesReport(**about, **scores.model_dump())


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

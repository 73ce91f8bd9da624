"""Answer one query, in this process or from a running service."""

import asyncio
from typing import Annotated

from pydantic import ValidationError

from actors.service.assembly import load_service
from actors.store.stores import open_store
from jobs.common.console import cut, table
from jobs.common.options import TASK, Option
from jobs.common.service_client import ask
from jobs.common.store import read_version, served_version
from schemas.base import first_wrong
from schemas.config import Config
from schemas.errors import UsageError
from schemas.filter_text import parse_filter
from schemas.search import SearchRequest, SearchResponse

FILTER = Option("find only such articles, as in 'year>=2020 and language=eng'", metavar="TEXT")


def run(
    config: Config,
    *,
    query: Annotated[str, Option(place=True, metavar="TEXT")],
    k: Annotated[int, Option("number of hits", flag="-k")] = 10,
    task: Annotated[str | None, TASK] = None,
    no_rerank: Annotated[bool, Option("in the order of retrieval alone")] = False,
    filter: Annotated[str, FILTER] = "",
    include_retracted: Annotated[bool, Option("find retracted articles too")] = False,
    version: Annotated[str | None, Option("search this version instead of CURRENT", metavar="VERSION")] = None,
    url: Annotated[str | None, Option("ask a running service, for example http://127.0.0.1:8000")] = None,
) -> SearchResponse:
    """Answer the query, by the service at `url` if there is one.

    Raises:
        UsageError: it cannot be asked so.
        RequestError: the service does not answer.
        StoreError: without one, nothing is served.
    """
    filters = parse_filter(filter)
    try:
        request = SearchRequest(
            query=query, task=task, k=k, rerank=not no_rerank, filters=filters, include_retracted=include_retracted
        )
    except ValidationError as error:
        raise UsageError(first_wrong(error)) from None
    if url and version:
        raise UsageError("--url and --version: a service answers from CURRENT; name one of them")
    if url:
        return ask(url, request)
    if no_rerank:
        config = config.with_values(rerank={"kind": "none"})
    store = open_store(config)
    searched = read_version(store, version) if version else served_version(store)
    service = load_service(config, searched)
    [response] = asyncio.run(service.search(request))
    return response


def show(response: SearchResponse) -> str:
    rows = [
        [h.rank, h.score, h.retrieval_score, h.rerank_score, h.id, h.article.year, cut(h.article.title, 80)]
        for h in response.hits
    ]
    times = ", ".join(f"{stage} {ms:.0f} ms" for stage, ms in response.milliseconds.items())
    kind = response.hits[0].score_kind if response.hits else "score"
    headers = ["rank", kind, "retrieval", "rerank", "PMID", "year", "title"]
    degraded = f"not re-ranked: {response.degraded}\n" if response.degraded else ""
    return f"{response.query}\n{table(headers, rows)}\n{degraded}{times}, version {response.version}"

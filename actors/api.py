"""The HTTP API over a search service. Errors are problem JSON (RFC 9457)."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import FastAPI, Path, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from actors.limits import BodyLimit, within
from actors.page import add_page
from actors.problems import handle_problems
from actors.service import SearchService
from schemas.search import (
    MAX_K,
    ArticleResponse,
    Problem,
    Readiness,
    SearchRequest,
    SearchResponse,
    SearchResponses,
    VersionInfo,
)

ArticleId = Annotated[str, Path(min_length=1, max_length=100, description="The PMID, or the corpus's own id.")]
PROBLEMS: dict[int | str, dict[str, object]] = {
    404: {"model": Problem},
    422: {"model": Problem},
    429: {"model": Problem},
    503: {"model": Problem},
    504: {"model": Problem},
}


Metrics = Callable[[], Awaitable[str]]


def create_app(service: SearchService, seconds: float, metrics: Metrics | None = None) -> FastAPI:
    """Return the ASGI application, whose requests may take so long; its documentation is at `/docs`.

    `metrics` returns what Prometheus is told, in its text format.
    """
    app = FastAPI(title="pubray", description="Dense search over PubMed with re-ranking.", responses=PROBLEMS)
    app.add_middleware(BodyLimit)
    handle_problems(app)
    add_page(app, service, seconds)

    @app.post("/v1/search", response_model=SearchResponse | SearchResponses)
    async def search(request: SearchRequest) -> Response:
        """Return the k articles that answer a query best; for a list of queries, those of each."""
        found = await within(seconds, service.search(request))
        return _json(found[0] if isinstance(request.query, str) else SearchResponses(results=tuple(found)))

    @app.get("/v1/articles/{id}", response_model=ArticleResponse)
    async def article(id_: Annotated[ArticleId, Path(alias="id")]) -> Response:
        """Return an article."""
        return _json(await within(seconds, service.article(id_)))

    @app.get("/v1/similar/{id}", response_model=SearchResponse)
    async def similar(
        id_: Annotated[ArticleId, Path(alias="id")],
        k: Annotated[int, Query(ge=1, le=MAX_K - 1, description="How many hits to return.")] = 10,
    ) -> Response:
        """Return the articles whose vectors are nearest to that of an article."""
        request = SearchRequest(query=id_, k=k, rerank=False)
        return _json(await within(seconds, service.similar(id_, request)))

    @app.get("/version")
    async def version() -> VersionInfo:
        """Say which index version, encoder and re-ranker answer."""
        return service.version()

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> Readiness:
        """Say that searches are answered, from which version, and whether a newer one cannot be loaded."""
        return await within(seconds, service.ready())

    if metrics:

        @app.get("/metrics", response_class=PlainTextResponse)
        async def scrape() -> str:
            """Return the metrics of this node, for Prometheus."""
            return await within(seconds, metrics())

    return app


def _json(answer: BaseModel) -> Response:
    """Return an answer without what was not asked for; half the time that FastAPI takes for it."""
    return Response(answer.model_dump_json(exclude_unset=True), media_type="application/json")

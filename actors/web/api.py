"""The HTTP API over a search service. Errors are problem JSON (RFC 9457)."""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from actors.service.search_service import SearchService
from actors.web.compatible_routes import compatible_routes
from actors.web.middleware.front import OPEN, Front, put_before
from actors.web.middleware.limits import within
from actors.web.middleware.problems import PROBLEMS, handle_problems
from actors.web.middleware.request_facts import note
from actors.web.page.page import add_page
from schemas.errors import ServiceError
from schemas.problem import Problem
from schemas.search import (
    MAX_ID_CHARS,
    ArticleResponse,
    Readiness,
    SearchRequest,
    SearchResponse,
    SearchResponses,
    SimilarRequest,
    VersionInfo,
)
from schemas.stored_vectors import VectorsRequest, VectorsResponse

ArticleId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=MAX_ID_CHARS,
        description="A PMID, PMCID or DOI, or the corpus's own id, however spelt.",
    ),
]
Metrics = Callable[[], Awaitable[str]]
PROBED = ["GET", "HEAD"]
"""Some load balancers ask for headers alone. The description has GET only: each such route stands there a second
time, and the first answers."""
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}


def create_app(
    service: SearchService, seconds: float, front: Front | None = None, metrics: Metrics | None = None
) -> FastAPI:
    """Return the ASGI application, whose requests may take so long. It describes itself at `/openapi.json`.

    FastAPI's pages for that are off: their scripts come from another host. `metrics` returns what Prometheus is told,
    in its text format.
    """
    description = "Dense search over PubMed with re-ranking."
    app = FastAPI(title="pubray", description=description, responses=PROBLEMS, docs_url=None, redoc_url=None)
    front = front or Front()
    put_before(app, front)
    handle_problems(app)
    describe(app, keys=bool(front.key_digests))
    app.include_router(compatible_routes(service.models, seconds))
    add_page(app, service, seconds)

    @app.post("/v1/search", response_model=SearchResponse | SearchResponses)
    async def search(request: SearchRequest) -> Response:
        """Return the k articles that answer a query best; for a list of queries, those of each."""
        note(query=request.query)
        found = await within(seconds, service.search(request))
        note(version=found[0].version, stages=found[0].milliseconds)
        return _json(found[0] if isinstance(request.query, str) else SearchResponses(results=tuple(found)))

    @app.get("/v1/articles/{id:path}", response_model=ArticleResponse)
    async def article(
        id_: Annotated[ArticleId, Path(alias="id")],
        vector: Annotated[bool, Query(description="Its stored vector too.")] = False,
    ) -> Response:
        """Return an article."""
        found = await within(seconds, service.article(id_, vector=vector))
        note(version=found.version)
        return _json(found)

    @app.post("/v1/vectors", response_model=VectorsResponse)
    async def vectors(request: VectorsRequest) -> Response:
        """Return the stored vectors of articles, in their order."""
        found = await within(seconds, service.vectors(request))
        note(version=found.version)
        return _json(found)

    @app.get("/v1/similar/{id:path}", response_model=SearchResponse)
    async def similar(
        id_: Annotated[ArticleId, Path(alias="id")], request: Annotated[SimilarRequest, Query()]
    ) -> Response:
        """Return the articles whose vectors are nearest to that of an article."""
        found = await within(seconds, service.similar(id_, request))
        note(version=found.version, stages=found.milliseconds)
        return _json(found)

    @app.get("/version")
    @app.api_route("/version", methods=PROBED, include_in_schema=False)
    async def version() -> VersionInfo:
        """Say which index version, encoder and re-ranker answer."""
        return await newest_version(service, seconds)

    @app.get("/healthz")
    @app.api_route("/healthz", methods=PROBED, include_in_schema=False)
    async def healthz() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "ok"}

    @app.get("/readyz")
    @app.api_route("/readyz", methods=PROBED, include_in_schema=False)
    async def readyz() -> Readiness:
        """Say that searches are answered, from which version, and whether a newer one cannot be loaded."""
        return await within(seconds, service.ready())

    @app.get("/health")
    @app.api_route("/health", methods=PROBED, include_in_schema=False)
    async def health() -> dict[str, float]:
        """Say that searches are answered, as text-embeddings-inference, vLLM and infinity say that they answer."""
        await within(seconds, service.ready())
        return {"unix": time.time()}

    if metrics:

        @app.get("/metrics", response_class=PlainTextResponse)
        async def scrape() -> str:
            """Return the metrics of this node, for Prometheus."""
            return await within(seconds, metrics())

    return app


def _json(answer: BaseModel) -> Response:
    """Return an answer without what was not asked for; half the time that FastAPI takes for it."""
    return Response(answer.model_dump_json(exclude_unset=True), media_type="application/json")


def describe(app: FastAPI, *, keys: bool) -> None:
    """Let an application's description have the form of a problem, and how a key is given if one is needed."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        schema = plain()
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
        schema["components"]["schemas"] |= {**problem.pop("$defs"), "Problem": problem}
        if keys:
            schema["components"]["securitySchemes"] = SCHEMES
            schema["security"] = [{name: []} for name in SCHEMES]
            for path in OPEN & {*schema["paths"]}:
                schema["paths"][path]["get"]["security"] = []
        return schema

    app.openapi = described  # type: ignore[method-assign]  # as FastAPI's documentation has it


async def newest_version(service: SearchService, seconds: float) -> VersionInfo:
    """Return what answers, after a search would have found whether a newer version does: nobody may have searched."""
    with suppress(ServiceError):
        await within(seconds, service.ready())
    return service.version()

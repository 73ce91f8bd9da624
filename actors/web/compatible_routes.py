"""The routes that clients of OpenAI, Cohere, Jina and TEI call. A wrong request is a 400 there, as they expect."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from actors.service.model_service import ModelService
from actors.web.middleware.limits import within
from actors.web.middleware.problems import explain
from actors.web.middleware.request_facts import note, request_facts
from schemas.compatible import (
    EmbeddingsRequest,
    EmbeddingsResponse,
    Model,
    Models,
    RerankedDocument,
    RerankRequest,
    RerankResponse,
    RerankResult,
    TeiRank,
    TeiRerankRequest,
)
from schemas.errors import ProtocolError

RANKS = TypeAdapter(list[TeiRank])


class CompatibleRoute(APIRoute):
    """A route that answers 400 where ours answer 422."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                raise ProtocolError(explain(error)) from None

        return handler


def compatible_routes(models: ModelService, seconds: float) -> APIRouter:
    """Return the routes, whose requests may take so long."""
    routes = APIRouter(route_class=CompatibleRoute)

    @routes.get("/v1/models")
    async def list_models() -> Models:
        """Return what `model` of an embeddings request may be (OpenAI)."""
        return models.models()

    @routes.get("/v1/models/{id}")
    async def retrieve_model(id_: Annotated[str, Path(alias="id")]) -> Model:
        """Return one of them (OpenAI)."""
        return models.model(id_)

    @routes.post("/v1/embeddings", response_model=EmbeddingsResponse)
    async def embeddings(request: EmbeddingsRequest) -> Response:
        """Return vectors of texts (OpenAI)."""
        return _json((await within(seconds, models.embed(request))).model_dump_json())

    @routes.post("/v1/rerank", response_model=RerankResponse)
    @routes.post("/v2/rerank", response_model=RerankResponse)
    async def rerank(request: RerankRequest) -> Response:
        """Order documents by their relevance to a query (Cohere, Jina)."""
        note(query=request.query)
        name = models.reranker(request.model)
        scores = await within(seconds, models.rerank(request.query, request.documents))
        results = (
            RerankResult(
                index=score.place,
                relevance_score=score.relevance,
                document=RerankedDocument(text=request.documents[score.place]) if request.return_documents else None,
            )
            for score in scores[: request.top_n]
        )
        answer = RerankResponse(id=request_facts().id, model=name, results=tuple(results))
        return _json(answer.model_dump_json(exclude_none=True))

    @routes.post("/rerank", response_model=list[TeiRank])
    async def rank(request: TeiRerankRequest) -> Response:
        """Order texts by their relevance to a query (text-embeddings-inference)."""
        note(query=request.query)
        ranks = [
            TeiRank(
                index=score.place,
                score=score.raw if request.raw_scores else score.relevance,
                text=request.texts[score.place] if request.return_text else None,
            )
            for score in await within(seconds, models.rerank(request.query, request.texts))
        ]
        return _json(RANKS.dump_json(ranks, exclude_none=True))

    return routes


def _json(content: str | bytes) -> Response:
    return Response(content, media_type="application/json")

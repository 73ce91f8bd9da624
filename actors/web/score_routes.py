"""The routes that clients of Cohere, Jina, vLLM, infinity and TEI ask for scores."""

import time

from fastapi import APIRouter, Response
from pydantic import TypeAdapter

from actors.service.model_service import ModelService
from actors.web.middleware.limits import within
from actors.web.middleware.request_facts import note, request_facts
from schemas.compatible_scores import (
    AnyRerankRequest,
    PairScore,
    RerankedDocument,
    RerankRequest,
    RerankResponse,
    RerankResult,
    ScoreRequest,
    ScoreResponse,
    TeiRank,
    TeiRerankRequest,
)

RANKS = TypeAdapter(list[TeiRank])


def add_score_routes(routes: APIRouter, models: ModelService, seconds: float) -> None:
    """Add them to routes whose requests may take so long."""

    @routes.post("/v1/rerank", response_model=RerankResponse)
    @routes.post("/v2/rerank", response_model=RerankResponse)
    async def rerank(request: RerankRequest) -> Response:
        """Order documents by their relevance to a query (Cohere, Jina, vLLM)."""
        return _json((await _reranked(models, request, seconds)).model_dump_json(exclude_none=True))

    @routes.post("/rerank", response_model=RerankResponse | list[TeiRank])
    async def rank(request: AnyRerankRequest) -> Response:
        """Order `texts` (text-embeddings-inference) or `documents` (the others) by their relevance to a query."""
        if isinstance(request, RerankRequest):
            return await rerank(request)
        return _json(RANKS.dump_json(await _ranks(models, request, seconds), exclude_none=True))

    @routes.post("/v1/score", response_model=ScoreResponse)
    @routes.post("/score", response_model=ScoreResponse)
    async def score(request: ScoreRequest) -> Response:
        """Return how relevant documents are to their queries (vLLM)."""
        name = models.reranker(request.model)
        scored = await within(seconds, models.score(request.pairs))
        answer = ScoreResponse(
            id=request_facts().id,
            created=int(time.time()),
            model=name,
            data=tuple(PairScore(index=score.place, score=score.relevance) for score in scored.scores),
            usage=scored.usage,
        )
        return _json(answer.model_dump_json())


async def _reranked(models: ModelService, request: RerankRequest, seconds: float) -> RerankResponse:
    note(query=request.query)
    name = models.reranker(request.model)
    scored = await within(seconds, models.rerank(request.query, request.documents))
    results = (
        RerankResult(
            index=score.place,
            relevance_score=score.relevance,
            document=RerankedDocument(text=request.documents[score.place]) if request.return_documents else None,
        )
        for score in scored.scores[: request.top_n]
    )
    return RerankResponse(id=request_facts().id, model=name, results=tuple(results), usage=scored.usage)


async def _ranks(models: ModelService, request: TeiRerankRequest, seconds: float) -> list[TeiRank]:
    note(query=request.query)
    return [
        TeiRank(
            index=score.place,
            score=score.raw if request.raw_scores else score.relevance,
            text=request.texts[score.place] if request.return_text else None,
        )
        for score in (await within(seconds, models.rerank(request.query, request.texts))).scores
    ]


def _json(content: str | bytes) -> Response:
    return Response(content, media_type="application/json")

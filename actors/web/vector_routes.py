"""The routes that clients of OpenAI, infinity, Cohere and TEI ask for vectors."""

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Path, Response
from pydantic import TypeAdapter

from actors.service.model_service import ModelService, as_base64, as_floats
from actors.web.middleware.limits import within
from actors.web.middleware.request_facts import request_facts
from schemas.arrays import Vector
from schemas.compatible_vectors import (
    CohereEmbeddings,
    CohereEmbedRequest,
    CohereEmbedResponse,
    CohereMeta,
    CohereTokens,
    EmbeddingsRequest,
    EmbeddingsResponse,
    Model,
    Models,
    TeiEmbedRequest,
    TeiInfo,
)

VECTORS = TypeAdapter(list[tuple[float, ...]])


def add_vector_routes(routes: APIRouter, models: ModelService, seconds: float) -> None:
    """Add them to routes whose requests may take so long."""

    @routes.get("/v1/models")
    async def list_models() -> Models:
        """Return what `model` of an embeddings request may be (OpenAI)."""
        return models.models()

    @routes.get("/v1/models/{id}")
    async def retrieve_model(id_: Annotated[str, Path(alias="id")]) -> Model:
        """Return one of them (OpenAI)."""
        return models.model(id_)

    @routes.get("/info")
    async def info() -> TeiInfo:
        """Say which encoder answers (text-embeddings-inference)."""
        return models.info()

    @routes.post("/v1/embeddings", response_model=EmbeddingsResponse)
    @routes.post("/embeddings", response_model=EmbeddingsResponse)
    async def embeddings(request: EmbeddingsRequest) -> Response:
        """Return vectors of texts (OpenAI, infinity)."""
        return _json((await within(seconds, models.embed(request))).model_dump_json())

    @routes.post("/embed", response_model=list[tuple[float, ...]])
    async def embed(request: TeiEmbedRequest) -> Response:
        """Return vectors of texts (text-embeddings-inference)."""
        made = await within(seconds, models.encode(request.inputs, None, request.prompt_name, request.dimensions))
        vectors = map(of_length_1, made.vectors) if request.normalize else made.vectors
        return _json(VECTORS.dump_json([as_floats(vector) for vector in vectors]))

    @routes.post("/v2/embed", response_model=CohereEmbedResponse)
    async def cohere_embed(request: CohereEmbedRequest) -> Response:
        """Return vectors of texts (Cohere)."""
        asked = models.encode(request.texts, request.model, request.input_type, request.output_dimension)
        made = await within(seconds, asked)
        forms = {"float": as_floats, "base64": as_base64}
        vectors = {name: tuple(map(forms[name], made.vectors)) for name in request.embedding_types or ("float",)}
        tokens = CohereTokens(input_tokens=made.tokens)
        answer = CohereEmbedResponse(
            id=request_facts().id,
            embeddings=CohereEmbeddings.model_validate(vectors),
            texts=request.texts,
            meta=CohereMeta(billed_units=tokens, tokens=tokens),
        )
        return _json(answer.model_dump_json(by_alias=True, exclude_none=True))


def of_length_1(vector: Vector) -> Vector:
    """Return a vector (dimension,) cut to length 1; of nothing but zeros itself."""
    length = np.linalg.norm(vector)
    return vector / length if length else vector


def _json(content: str | bytes) -> Response:
    return Response(content, media_type="application/json")

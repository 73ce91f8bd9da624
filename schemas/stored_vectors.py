"""Vectors of articles as the index has them: the JSON of `/v1/vectors`."""

from typing import Annotated

from pydantic import Field

from schemas.base import Frozen, at_most
from schemas.search import MAX_ID_CHARS

MAX_VECTORS = 1000
"""Vectors of a request: of 768 numbers each some 15 MB of JSON."""


Id = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS)]


class VectorsRequest(Frozen):
    """Which articles' vectors are asked for: `POST /v1/vectors`."""

    ids: Annotated[tuple[Id, ...], at_most(MAX_VECTORS)] = Field(
        min_length=1,
        max_length=MAX_VECTORS,
        description="PMIDs, PMCIDs, DOIs, or the corpus's own ids.",
        examples=[["402406"]],
    )


class VectorsResponse(Frozen):
    """The stored vectors of articles, in the order in which they were asked for."""

    version: str
    encoder: str = Field(description="Whose article tower they are of.")
    dimension: int
    vectors: tuple[tuple[float, ...] | None, ...] = Field(description="Null where the version has no such article.")

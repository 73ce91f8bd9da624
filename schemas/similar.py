"""The parameters of `GET /v1/similar/{id}`: those of a search, its filters as text."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.errors import UsageError
from schemas.filter_grammar import parse_filter
from schemas.filters import MAX_CONDITIONS, Condition
from schemas.search import HitsRequest


def _conditions(texts: Sequence[str]) -> tuple[Condition, ...]:
    try:
        return tuple(condition for text in texts for condition in parse_filter(text))
    except UsageError as error:
        raise PydanticCustomError("filter", str(error).removeprefix("filter, ")) from None


_TEXTS = WithJsonSchema({"type": "array", "items": {"type": "string"}, "examples": [["year>=2020 and language=eng"]]})


class SimilarRequest(HitsRequest):
    """Which of the articles that are similar to one are asked for."""

    filters: Annotated[tuple[Condition, ...], BeforeValidator(_conditions), _TEXTS] = Field(
        (),
        alias="filter",
        max_length=MAX_CONDITIONS,
        description="Only articles are found for which all of these hold: conditions joined by `and`, such as "
        "`year>=2020 and type in (Review, Letter)`.",
    )

"""Golden data: texts, and what an encoder's authors say comes out for them. Files of `infra/verify/`."""

from typing import Any, Literal, Self

from pydantic import Field, PositiveFloat, ValidationError, model_validator

from schemas.base import Frozen, first_wrong
from schemas.errors import UsageError

Numbers = tuple[float, ...]


class GoldenText(Frozen):
    """What was published of a text's vector; nothing where a procedure says it."""

    first: Numbers = ()
    """Its first numbers."""
    last: Numbers = ()
    """Its last numbers."""


class GoldenQuery(GoldenText):
    """A query."""

    text: str
    task: str | None = None


class GoldenArticle(GoldenText):
    """An article."""

    title: str
    abstract: str


class GoldenPassage(Frozen):
    """An article that a cross-encoder reads with a query."""

    title: str
    abstract: str
    logit: float


class GoldenRerank(Frozen):
    """What a cross-encoder gives for one query."""

    query: str
    article: tuple[GoldenPassage, ...]


class Golden(Frozen):
    """Golden data of some encoders.

    Raises:
        ValueError: a text has numbers beside a procedure, or neither.
    """

    encoders: tuple[str, ...]
    """The names of the encoder specs that it is for."""
    source: str
    """Who says so."""
    tolerance: PositiveFloat
    """The largest difference that passes; with a procedure, as a share of a vector's largest number."""
    procedure: Literal["bmretriever"] | None = None
    """How the authors encode, where they print no numbers; run on the same weights."""
    query: tuple[GoldenQuery, ...] = Field(min_length=1)
    article: tuple[GoldenArticle, ...] = Field(min_length=1)
    rerank: GoldenRerank | None = None

    @model_validator(mode="after")
    def _numbers_or_a_procedure(self) -> Self:
        for text in (*self.query, *self.article):
            if bool(text.first and text.last) is (self.procedure is not None):
                raise ValueError("each text has first and last numbers, or there is a procedure and none has")
        return self


class Check(Frozen):
    """One comparison. Of a vector the first and last numbers are shown."""

    what: str
    expected: Numbers
    got: Numbers
    difference: float
    passed: bool


def parse_golden(values: dict[str, Any], origin: str) -> Golden:
    """Check the content of the file named `origin`.

    Raises:
        UsageError: names the first wrong key.
    """
    try:
        return Golden.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{origin}: {first_wrong(error)}; correct it there") from None

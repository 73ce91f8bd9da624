"""What a client sends and gets: the JSON of `POST /v1/search`."""

from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, StrictInt, StrictStr, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Frozen

MAX_K = 1000
MAX_QUERY_CHARS = 10_000
MAX_CONDITIONS = 16
MAX_VALUES = 100
MAX_TERM_CHARS = 500
MAX_YEAR = 9999

FilterField = Literal["year", "language", "journal", "type", "mesh", "abstract", "retracted"]
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "not in"]
YES_OR_NO = ("abstract", "retracted")
"""Fields that every article has, as yes or no."""


class Condition(Frozen):
    """What an article must be to be found: {"field": "year", "op": ">=", "value": 2020}.

    `!=` and `not in` are the opposite of `=` and `in`: they hold too where an article has no such field. An article
    without a year is neither before nor after any.
    """

    field: FilterField = Field(
        description="language: ISO 639-2 code; journal: NLM id, title or abbreviation; type (of publication) and mesh: "
        "UI or name; abstract (whether there is one) and retracted: yes or no."
    )
    op: Operator = Field(description="`<`, `<=`, `>` and `>=` are for year; `in` and `not in` take a list.")
    value: StrictStr | StrictInt | tuple[StrictStr | StrictInt, ...] = Field(
        description=f"A whole number for year, text for all others, whatever its case; a list has up to {MAX_VALUES}.",
        examples=["Diabetes Mellitus"],
    )

    @property
    def values(self) -> tuple[str | int, ...]:
        """The value, or the values of a list."""
        return self.value if isinstance(self.value, tuple) else (self.value,)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if isinstance(self.value, tuple) != (self.op in ("in", "not in")):
            raise _refusal(f"{self.op} takes {'one value' if isinstance(self.value, tuple) else 'a list'}")
        if self.op[0] in "<>" and self.field != "year":
            raise _refusal(f"{self.op} is for year; {self.field} takes =, !=, in and not in")
        if not 1 <= len(self.values) <= MAX_VALUES:
            raise _refusal(f"a list has 1 to {MAX_VALUES} values, not {len(self.values)}")
        for value in self.values:
            if expected := _expected_instead(self.field, value):
                raise _refusal(f"{self.field} takes {expected}")
        return self


def _expected_instead(field: FilterField, value: str | int) -> str | None:
    """Say what a field takes, if a value is not that."""
    if field == "year":
        fits, expected = isinstance(value, int) and 0 <= value <= MAX_YEAR, f"a whole number up to {MAX_YEAR}"
    elif field in YES_OR_NO:
        fits, expected = isinstance(value, str) and value.casefold() in ("yes", "no"), "yes or no"
    else:
        fits = isinstance(value, str) and value.strip() != "" and len(value) <= MAX_TERM_CHARS
        expected = f"text of 1 to {MAX_TERM_CHARS} characters"
    return None if fits else expected


def _refusal(reason: str) -> PydanticCustomError:
    return PydanticCustomError("condition", reason)


class Wanted(NamedTuple):
    """Which articles a search may find."""

    filters: tuple[Condition, ...] = ()
    """What the user asks for; all of them hold."""
    retracted: bool = False
    """Retracted ones too."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All that must hold."""
        return self.filters if self.retracted else (*self.filters, NOT_RETRACTED)


NOT_RETRACTED = Condition(field="retracted", op="!=", value="yes")
EVERYTHING = Wanted(retracted=True)


class SearchRequest(Frozen):
    """One query."""

    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_QUERY_CHARS)] = Field(
        description="Free text.", examples=["statins and muscle pain"]
    )
    task: str | None = Field(
        None, min_length=1, max_length=MAX_QUERY_CHARS, description="The instruction, for encoders that take one."
    )
    k: int = Field(10, ge=1, le=MAX_K, description="How many hits to return.")
    rerank: bool = Field(True, description="Order the best candidates anew with the re-ranker.")
    candidates: int | None = Field(
        None, ge=1, le=MAX_K, description="How many of the best retrieved articles are re-ranked."
    )
    filters: tuple[Condition, ...] = Field(
        (),
        max_length=MAX_CONDITIONS,
        description="Only articles are found for which all of these hold.",
        examples=[[{"field": "year", "op": ">=", "value": 2020}]],
    )
    include_retracted: bool = Field(
        False, description="Find retracted articles too; a condition on `retracted` does so as well."
    )

    @property
    def wanted(self) -> Wanted:
        """Which articles may be found: retracted ones only if they are asked for."""
        asked = self.include_retracted or any(condition.field == "retracted" for condition in self.filters)
        return Wanted(self.filters, retracted=asked)


class Hit(Frozen):
    """One article of an answer, best first."""

    rank: int
    id: str = Field(description="The PMID, or the corpus's own id.")
    score: float = Field(
        description="What re-ranked hits are ordered by, of the response's `score_kind`; hits after them, which the "
        "re-ranker did not see, are in order of retrieval and have their retrieval_score here."
    )
    retrieval_score: float = Field(description="Inner product of query and article vector.")
    rerank_score: float | None = Field(description="Raw score of the re-ranker; null if it did not see this hit.")
    title: str
    abstract: str
    journal: str
    year: int | None
    publication_date: str | None
    doi: str | None


class SearchResponse(Frozen):
    """The answer to one query."""

    query: str
    version: str = Field(description="The index version that answered.")
    score_kind: str = Field(description="inner_product, logit or fused.")
    hits: list[Hit]
    milliseconds: dict[str, float] = Field(description="Time spent per stage.")


class VersionInfo(Frozen):
    """What is being served: `GET /version`."""

    version: str
    created: str
    articles: int
    snapshot: str
    encoder: str
    reranker: str
    recall_at_10: float


class Problem(Frozen):
    """An error as RFC 9457 problem JSON."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str

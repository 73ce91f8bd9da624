"""What a client of the search service sends and gets: the JSON of `/v1/search` and of what belongs to it."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_type_hints

from pydantic import BeforeValidator, Field, WithJsonSchema, create_model, model_validator
from pydantic_core import PydanticCustomError

from schemas.article import ARTICLE_FIELDS, DisplayArticle
from schemas.base import Frozen, Lenient, at_most, checked_text
from schemas.errors import UsageError
from schemas.filter_text import parse_filter
from schemas.filters import MAX_CONDITIONS, Filters, Wanted, asks_for_retracted

MAX_K = 1000
MAX_QUERY_CHARS = 10_000
MAX_QUERIES = 64
MAX_ID_CHARS = 1000

ScoreKind = Literal["inner_product", "logit", "fused"]
SHOWN = ARTICLE_FIELDS[: ARTICLE_FIELDS.index("retracted") + 1]
"""What is shown of an article unless a request says otherwise."""

if TYPE_CHECKING:
    ArticleField = str

    class _ArticleFields(Frozen):
        id: str

else:
    ArticleField = Literal[ARTICLE_FIELDS]
    _KINDS = get_type_hints(DisplayArticle)
    _ArticleFields = create_model(
        "_ArticleFields", __base__=Frozen, **{name: (_KINDS[name] | None, None) for name in ARTICLE_FIELDS}
    )


def _queries(value: object) -> object:
    """Check one query or a list of them, so that what is wrong is said once, and not for each of the two forms."""
    if isinstance(value, list | tuple):
        if not 1 <= len(value) <= MAX_QUERIES:
            raise PydanticCustomError("queries", f"a list has 1 to {MAX_QUERIES} queries, not {len(value)}")
        return tuple(_query(one) for one in value)
    return _query(value)


def _query(value: object) -> str:
    return checked_text(value, MAX_QUERY_CHARS, behind=", or a list of such texts")


_TEXT = {"type": "string", "minLength": 1, "maxLength": MAX_QUERY_CHARS}
_TEXTS = {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": MAX_QUERIES}
Queries = Annotated[str | tuple[str, ...], BeforeValidator(_queries), WithJsonSchema({"anyOf": [_TEXT, _TEXTS]})]


def _conditions(value: object) -> object:
    """Return a filter's conditions; texts, alone or in a list, have the command line's grammar."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or len(value) > MAX_CONDITIONS:
        return value
    try:
        read = [parse_filter(one) if isinstance(one, str) else (one,) for one in value]
    except UsageError as error:
        raise PydanticCustomError("filter", str(error).removeprefix("filter, ")) from None
    return tuple(one for filters in read for one in filters)


def _or_text(schema: dict[str, Any]) -> None:
    """Describe that filters may be text too."""
    listed = {name: schema.pop(name) for name in ("type", "items")}
    schema["anyOf"] = [listed, {"type": "string", "examples": ["year>=2020 and language=eng"]}]


class HitsRequest(Lenient):
    """Which articles are asked for, and what is to be told of each."""

    k: int = Field(10, ge=1, le=MAX_K, description="How many hits to return.")
    offset: int = Field(0, ge=0, lt=MAX_K, description="How many of the best hits to leave out before them.")
    filters: Annotated[Filters, BeforeValidator(_conditions)] = Field(
        (),
        description="Only articles are found for which all of these hold: conditions, and groups of them, as in "
        '{"any": [CONDITION, {"all": [CONDITION, CONDITION]}]}; as text in the command line\'s grammar.',
        examples=[[{"field": "year", "op": ">=", "value": 2020}]],
        json_schema_extra=_or_text,
    )
    include_retracted: bool = Field(
        False,
        description="Find retracted articles too; a condition on `retracted`, or for the type Retracted Publication, "
        "does so as well.",
    )
    fields: Annotated[tuple[ArticleField, ...], at_most(len(ARTICLE_FIELDS))] = Field(
        SHOWN, description="What to return of each article, beside its id."
    )
    highlight: bool = Field(False, description="Say where title and abstract have words of the query.")

    @property
    def depth(self) -> int:
        """How many hits are ranked."""
        return self.offset + self.k

    @property
    def wanted(self) -> Wanted:
        """Which articles may be found: retracted ones only if they are asked for."""
        return Wanted(self.filters, retracted=self.include_retracted or asks_for_retracted(self.filters))

    @model_validator(mode="after")
    def _is_not_too_deep(self) -> Self:
        if self.depth > MAX_K:
            raise PydanticCustomError("depth", f"offset and k end at hit {self.depth}; the last to be had is {MAX_K}")
        return self


class SearchRequest(HitsRequest):
    """One query, or several with the same settings."""

    query: Queries = Field(
        description=f"Text, or a list of up to {MAX_QUERIES}, with {MAX_K} hits and candidates in all.",
        examples=["statins and muscle pain"],
    )
    task: str | None = Field(
        None, min_length=1, max_length=MAX_QUERY_CHARS, description="The instruction, for encoders that take one."
    )
    rerank: bool = Field(True, description="Order the best candidates anew with the re-ranker.")
    candidates: int | None = Field(
        None, ge=1, le=MAX_K, description="How many of the best retrieved articles are re-ranked."
    )
    direct: bool = Field(
        True, description="Put the articles first whose PMIDs, PMCIDs, DOIs or title the query is, in its order."
    )

    @model_validator(mode="after")
    def _is_not_too_much(self) -> Self:
        for name, each in (("hits", self.depth), ("candidates", self.candidates or 0)):
            if (total := len(self.queries) * each) > MAX_K:
                raise PydanticCustomError(
                    "total", f"{len(self.queries)} queries want {total} {name}; a request can have {MAX_K}"
                )
        return self

    @property
    def queries(self) -> tuple[str, ...]:
        return (self.query,) if isinstance(self.query, str) else self.query


_FILTERS = WithJsonSchema({"type": "array", "items": {"type": "string"}, "examples": [["year>=2020 and language=eng"]]})


class SimilarRequest(HitsRequest):
    """Which of the articles that are similar to one are asked for."""

    filters: Annotated[Filters, BeforeValidator(_conditions), _FILTERS] = Field(
        (),
        alias="filter",
        description="Only articles are found for which all of these hold: conditions joined by `and` and `or`, such as "
        "`year>=2020 and (type in (Review, Letter) or mesh=Sleep)`.",
    )


class Shown(_ArticleFields):
    """What is shown of an article: `ARTICLE_FIELDS`; what a request does not ask for is None, and left out of JSON."""

    @property
    def article(self) -> DisplayArticle:
        """The same, with the types that its fields have; what is left out is empty."""
        shown: dict[str, Any] = {name: getattr(self, name) for name in ARTICLE_FIELDS}
        return DisplayArticle(0, self.id, **{name: value for name, value in shown.items() if value is not None})


class Highlights(Frozen):
    """Where a text has words of the query: [first, last + 1] characters, ascending."""

    title: tuple[tuple[int, int], ...]
    abstract: tuple[tuple[int, int], ...]


class Hit(Shown):
    """One article of an answer, best first."""

    rank: int
    id: str = Field(description="The PMID, or the corpus's own id.")
    score: float = Field(
        description="What hits are ordered by. Hits that the re-ranker did not see follow those that it saw, in order "
        "of retrieval."
    )
    score_kind: ScoreKind
    comparable: bool = Field(description="Whether scores of this kind can be compared between queries.")
    retrieval_score: float = Field(description="Inner product of query and article vector.")
    rerank_score: float | None = Field(description="Raw score of the re-ranker; null if it did not see this hit.")
    named: bool = Field(
        description="The query is, or has, its PMID, PMCID, DOI or title: it comes first, whatever its score."
    )
    highlights: Highlights | None = None


class SearchResponse(Frozen):
    """The answer to one query."""

    query: str
    version: str = Field(description="The index version that answered.")
    hits: tuple[Hit, ...]
    reranked: bool
    degraded: str | None = Field(description="Why hits were not re-ranked though it was asked for.")
    milliseconds: dict[str, float] = Field(description="Time spent per stage; shared by the queries of a list.")


class SearchResponses(Frozen):
    """The answers to a list of queries, in its order."""

    results: tuple[SearchResponse, ...]


class ArticleResponse(Shown):
    """One article: `GET /v1/articles/{id}`."""

    id: str
    version: str
    vector: tuple[float, ...] | None = Field(None, description="As it was when it was embedded, of float16 precision.")


class VersionInfo(Frozen):
    """What is being served: `GET /version`."""

    version: str
    created: str
    articles: int
    snapshot: str
    encoder: str
    reranker: str
    recall_at_10: float


class Readiness(Frozen):
    """Whether searches are answered: `GET /readyz`."""

    version: str = Field(description="The version that answers.")
    pending: str | None = Field(description="A promoted version that does not answer yet.")
    problem: str | None = Field(description="Why it does not, or why what was promoted cannot be taken at all.")

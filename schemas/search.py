"""What a client sends and gets: the JSON of `POST /v1/search`."""

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.base import Frozen

MAX_K = 1000
MAX_QUERY_CHARS = 10_000


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

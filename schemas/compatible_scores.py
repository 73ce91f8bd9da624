"""The JSON by which other services are asked for scores: the rerank of Cohere and Jina, and TEI's; vLLM's score.

TEI is Hugging Face's text-embeddings-inference.
"""

from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Frozen
from schemas.compatible_texts import CompatibleRequest, Documents, QueryText, Right, Side, Texts, Usage


class RerankRequest(CompatibleRequest):
    """What the clients of Jina, Cohere, vLLM and infinity send: `POST /v1/rerank`, `/v2/rerank` or `/rerank`."""

    model: str | None = Field(None, description="The re-ranker's name as /version has it, if given.")
    query: QueryText
    documents: Documents = Field(description="Texts, or objects with a `text`; its first line is the title.")
    top_n: int | None = Field(None, ge=1, description="How many of the best to return; all if not given.")
    return_documents: bool = False


class RerankedDocument(Frozen):
    """A document as it was sent, less blanks at its ends."""

    text: str


class RerankResult(Frozen):
    """One document's relevance."""

    index: int = Field(description="Its place in the request.")
    relevance_score: float = Field(ge=0, le=1)
    document: RerankedDocument | None = None


class RerankResponse(Frozen):
    """Documents, the most relevant first, equal ones in their order."""

    id: str
    model: str
    results: tuple[RerankResult, ...]
    usage: Usage


class TeiRerankRequest(CompatibleRequest):
    """What TEI's clients send: `POST /rerank`. A text longer than the model reads is always cut, at its end."""

    query: QueryText
    texts: Texts = Field(description="Their first lines are titles.")
    raw_scores: bool = Field(False, description="The re-ranker's own scores, instead of scores from 0 to 1.")
    return_text: bool = False
    truncation_direction: Right = "right"


class TeiRank(Frozen):
    """One text's score."""

    index: int = Field(description="Its place in the request.")
    score: float
    text: str | None = None


def _shape(body: object) -> str | None:
    """Return the key by which a body shows whose it is, in brackets: a mere tag in errors, and no field."""
    given = {key for key in ("documents", "texts") if isinstance(body, dict) and body.get(key) is not None}
    return f"({given.pop()})" if len(given) == 1 else None


AnyRerankRequest = Annotated[
    Annotated[RerankRequest, Tag("(documents)")] | Annotated[TeiRerankRequest, Tag("(texts)")],
    Discriminator(
        _shape,
        custom_error_type="shape",
        custom_error_message="give either `documents` (as to Jina, Cohere, vLLM, infinity) or `texts` (as to TEI)",
    ),
]
"""What comes to `POST /rerank`, which is TEI's route and that of others."""


class ScoreRequest(CompatibleRequest):
    """What vLLM's clients send: `POST /v1/score` or `/score`. One query with each document, or as many in pairs."""

    model: str | None = Field(None, description="The re-ranker's name as /version has it, if given.")
    text_1: Side = Field(
        validation_alias=AliasChoices("text_1", "queries", "data_1"), description="A query, or as many as documents."
    )
    text_2: Side = Field(
        validation_alias=AliasChoices("text_2", "documents", "items", "data_2"),
        description="A document, or a list; its first line is the title.",
    )

    @model_validator(mode="after")
    def _makes_pairs(self) -> Self:
        if len(self.text_1) not in (1, len(self.text_2)):
            raise PydanticCustomError(
                "pairs",
                f"text_1 has {len(self.text_1)} texts and text_2 {len(self.text_2)}; give one, or as many as there",
            )
        return self

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each query with its document."""
        queries = self.text_1 * len(self.text_2) if len(self.text_1) == 1 else self.text_1
        return list(zip(queries, self.text_2, strict=True))


class PairScore(Frozen):
    """How relevant the document of one pair is to its query, from 0 to 1."""

    index: int
    object: Literal["score"] = "score"
    score: float = Field(ge=0, le=1)


class ScoreResponse(Frozen):
    """Scores, in the order of the pairs."""

    id: str
    object: Literal["list"] = "list"
    created: int = Field(description="In seconds since 1970.")
    model: str
    data: tuple[PairScore, ...]
    usage: Usage

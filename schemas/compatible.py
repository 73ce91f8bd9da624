"""The JSON that clients of other services speak: OpenAI's embeddings, the rerank of Cohere and Jina, and TEI's.

TEI is Hugging Face's text-embeddings-inference. Of what clients send, fields that are not here are ignored.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.base import Frozen, checked_text
from schemas.search import MAX_QUERY_CHARS

MAX_INPUTS = 2048
"""Texts of one embeddings request: OpenAI's own limit."""
MAX_DOCUMENTS = 1000
"""Documents of one rerank request: what Cohere recommends at most."""
MAX_TEXT_CHARS = 100_000
"""Of a text or document: a tower reads its first few hundred tokens."""


def _text(value: object, most: int, place: str = "") -> str:
    return checked_text(value, most, place=place, behind=" that is not blank")


def _texts(value: object, most: int) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= most:
        raise PydanticCustomError("texts", f"give a list of 1 to {most} texts")
    return tuple(_text(one, MAX_TEXT_CHARS, f"at {i}: ") for i, one in enumerate(value))


def _inputs(value: object) -> object:
    if isinstance(value, str):
        return (_text(value, MAX_TEXT_CHARS),)
    if isinstance(value, list) and any(isinstance(one, int | list) for one in value):
        raise PydanticCustomError(
            "tokens",
            "token ids are of another model's vocabulary; send the text itself "
            "(with LangChain: check_embedding_ctx_length=False)",
        )
    return _texts(value, MAX_INPUTS)


def _documents(value: object) -> object:
    if isinstance(value, list):
        value = [one.get("text") if isinstance(one, dict) else one for one in value]
    return _texts(value, MAX_DOCUMENTS)


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _schema(most_chars: int) -> dict[str, object]:
    return {"type": "string", "minLength": 1, "maxLength": most_chars, "pattern": r"\S"}


def _list(items: dict[str, object], most: int) -> dict[str, object]:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": most}


_TEXT = _schema(MAX_TEXT_CHARS)
_DOCUMENT = {"anyOf": [_TEXT, {"type": "object", "properties": {"text": _TEXT}, "required": ["text"]}]}
_INPUT = {"anyOf": [_TEXT, _list(_TEXT, MAX_INPUTS)]}

QueryText = Annotated[
    str, BeforeValidator(lambda value: _text(value, MAX_QUERY_CHARS)), WithJsonSchema(_schema(MAX_QUERY_CHARS))
]
Inputs = Annotated[tuple[str, ...], BeforeValidator(_inputs), WithJsonSchema(_INPUT)]
Documents = Annotated[tuple[str, ...], BeforeValidator(_documents), WithJsonSchema(_list(_DOCUMENT, MAX_DOCUMENTS))]
Texts = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: _texts(value, MAX_DOCUMENTS)),
    WithJsonSchema(_list(_TEXT, MAX_DOCUMENTS)),
]


class _Request(Frozen, extra="ignore"): ...


class EmbeddingsRequest(_Request):
    """What OpenAI's clients send: `POST /v1/embeddings`."""

    model: str = Field(description="NAME:query or NAME:article, of the encoder that is served: see /v1/models.")
    input: Inputs = Field(
        description="A text, or a list of them. An article's first line is its title, the rest its abstract."
    )
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="base64: of the vector's little-endian float32."
    )
    dimensions: int | None = Field(None, description="The encoder's own, if given: vectors are not cut.")


class Embedding(Frozen):
    """One vector."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: tuple[float, ...] | str


class Usage(Frozen):
    """The tokens that the tower read, after cutting, with those that it adds."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(Frozen):
    """Vectors, in the order of the texts."""

    object: Literal["list"] = "list"
    data: tuple[Embedding, ...]
    model: str
    usage: Usage


class Model(Frozen):
    """One tower."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="When the index version was made, in seconds since 1970.")
    owned_by: str = "pubray"


class Models(Frozen):
    """What `model` of an embeddings request may be: `GET /v1/models`."""

    object: Literal["list"] = "list"
    data: tuple[Model, ...]


class RerankRequest(_Request):
    """What the clients of Jina and Cohere send: `POST /v1/rerank`, and of Cohere's newer ones `POST /v2/rerank`."""

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


class TeiRerankRequest(_Request):
    """What TEI's clients send: `POST /rerank`. A text longer than the model reads is always cut, at its end."""

    query: QueryText
    texts: Texts = Field(description="Their first lines are titles.")
    raw_scores: bool = Field(False, description="The re-ranker's own scores, instead of scores from 0 to 1.")
    return_text: bool = False
    truncation_direction: Annotated[
        Literal["right"], BeforeValidator(_lower), WithJsonSchema({"enum": ["right", "Right"]})
    ] = "right"


class TeiRank(Frozen):
    """One text's score."""

    index: int = Field(description="Its place in the request.")
    score: float
    text: str | None = None

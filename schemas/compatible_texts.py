"""What requests in other services' protocols have in common: their texts, and that they are taken leniently."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.base import Frozen, Lenient, checked_text
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


def _sides(value: object) -> object:
    return (_text(value, MAX_TEXT_CHARS),) if isinstance(value, str) else _texts(value, MAX_DOCUMENTS)


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
Side = Annotated[
    tuple[str, ...],
    BeforeValidator(_sides),
    WithJsonSchema({"anyOf": [_TEXT, _list(_TEXT, MAX_DOCUMENTS)]}),
]
Right = Annotated[Literal["right"], BeforeValidator(_lower), WithJsonSchema({"enum": ["right", "Right"]})]
"""Where a text longer than a model reads is cut: always at its end."""


class CompatibleRequest(Lenient, extra="ignore"):
    """Of what clients send, fields that are not here are ignored."""


class Usage(Frozen):
    """The tokens that the tower read, after cutting, with those that it adds."""

    prompt_tokens: int
    total_tokens: int

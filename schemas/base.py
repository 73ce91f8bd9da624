"""What every exchanged JSON or TOML value has in common: immutable, closed, canonical when hashed."""

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeGuard, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ValidationError, model_validator
from pydantic_core import PydanticCustomError


class Frozen(BaseModel, frozen=True, extra="forbid"):
    """A value: it cannot be changed, and a field that it does not know is an error."""


class Lenient(Frozen):
    """A request: an option that is null is as if it were left out."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_the_default(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        options = {field.alias or name for name, field in cls.model_fields.items() if not field.is_required()}
        return {key: value for key, value in values.items() if value is not None or key not in options}


def first_wrong(error: ValidationError) -> str:
    """Return the first thing that a validation found, as one line: `key = value: what it takes instead`."""
    first = error.errors()[0]
    key = ".".join(named(first["loc"]))
    value = "" if first["type"] == "missing" else f" = {first['input']!r:.80}"
    return f"{key}{value}: {first['msg'].lower()}" if key else first["msg"].lower()


def named(place: Iterable[str | int]) -> list[str]:
    """Return the keys on the way to what is wrong; in parentheses are names of kinds, which nobody has written."""
    return [str(part) for part in place if not str(part).startswith("(")]


def nearest_key(model: type[BaseModel], key: str, others: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return which of the dotted keys of `model` is most like `key`; `others` are other names of some of them."""
    known = list(_keys(model))
    if (meant := others.get(key.lower())) in known:
        return meant
    return difflib.get_close_matches(key, known, n=1, cutoff=0)[0]


def _keys(model: type[BaseModel], prefix: str = "", within: tuple[type[BaseModel], ...] = ()) -> Iterator[str]:
    """Yield every dotted key of a model's values; of one that holds values of another model, that one's too."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        inner = dict.fromkeys(kind for kind in _models(field.annotation) if kind not in (*within, model))
        for kind in inner:
            yield from _keys(kind, f"{key}.", (*within, model))
        if field.annotation not in inner:
            yield key


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if is_model(annotation):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def is_model(kind: Any) -> TypeGuard[type[BaseModel]]:
    """Return whether an annotation is a model."""
    return get_origin(kind) is None and isinstance(kind, type) and issubclass(kind, BaseModel)


def digest(value: Any) -> str:
    """Return 16 hex digits of a sha256 over `value` as canonical JSON: the id of whatever was made from it."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def at_most(most: int) -> BeforeValidator:
    """Refuse a longer list before its items are looked at: each that is wrong would be an error of its own."""

    def check(value: object) -> object:
        if isinstance(value, list | tuple) and len(value) > most:
            raise PydanticCustomError("most", f"give at most {most} items")
        return value

    return BeforeValidator(check)


def checked_text(value: object, most: int, *, place: str = "", behind: str = "") -> str:
    """Return a text without the white space at its ends. place, behind: of the message, before and after the limits.

    Raises:
        PydanticCustomError: it is no text of 1 to `most` characters, or none that can be written and seen.
    """
    text = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(text) <= most:
        raise PydanticCustomError("text", f"{place}give text of 1 to {most} characters{behind}")
    if not is_whole(text):
        raise PydanticCustomError("half", f"{place}half a character (a lone surrogate) in it; send whole ones")
    if not is_visible(text):
        raise PydanticCustomError("invisible", f"{place}no printable character in it; send text")
    return text


def is_visible(text: str) -> bool:
    """Return whether there is anything to see of a text, as there is not of spaces and control characters."""
    return any(character.isprintable() and not character.isspace() for character in text)


def is_whole(text: str) -> bool:
    """Return whether a text has a form in UTF-8: JSON can spell half a character (a lone surrogate), which has none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

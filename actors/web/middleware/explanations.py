"""What is wrong with a request, in one line and in words of JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from schemas.base import named, nearest_key

MAX_FIELD_CHARS = 50
MAX_EXPLAINED = 10
"""Fields whose errors are told: a body may have a hundred thousand wrong ones."""
EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "model_type": "an object, as {…}",
    "model_attributes_type": "an object, as {…}",
}
"""What a field takes, by the kind of pydantic's error: its messages speak of Python's types."""

OTHER_NAMES = {
    **dict.fromkeys(("top_k", "topk", "top_n", "n", "n_results", "num_results", "max_results", "results"), "k"),
    **dict.fromkeys(("limit", "size", "count", "rows", "per_page", "page_size"), "k"),
    **dict.fromkeys(("page", "from", "start", "skip", "cursor"), "offset"),
    **dict.fromkeys(("q", "text", "question", "input", "queries", "search"), "query"),
    **dict.fromkeys(("where", "conditions"), "filters"),
    **dict.fromkeys(("return_fields", "include", "select", "columns", "_source"), "fields"),
    **dict.fromkeys(("instruction", "prompt"), "task"),
    **dict.fromkeys(("num_candidates", "rerank_k"), "candidates"),
}
"""What other services call a field, where that does not look like ours."""


def explain(error: RequestValidationError, model: type[BaseModel] | None = None) -> str:
    """Say in one clause each which fields are wrong and why, without echoing a long value.

    `model` is what the request was to be: with it, a field that is unknown is told the nearest known one. Where a field
    takes several kinds of values, all are told.
    """
    reasons: dict[str, list[str]] = {}
    for one in error.errors():
        field = _field(one, error.body)
        if field in reasons or len(reasons) < MAX_EXPLAINED:
            reasons.setdefault(field, []).append(_reason(one, field, model))
    return "; ".join(f"{field}: {' or '.join(dict.fromkeys(of_field))}" for field, of_field in reasons.items())


def _field(error: Mapping[str, Any], body: object) -> str:
    part, *names = error["loc"]
    if error["type"] == "json_invalid":
        return part
    if part == "body":
        names = _written(names, body, missing=error["type"] == "missing")
    return ".".join(map(str, names))[:MAX_FIELD_CHARS] or part


def _written(names: Sequence[str | int], body: object, *, missing: bool) -> list[str | int]:
    """Return those names of a place that a body has, without what pydantic adds: which of several kinds it tried."""
    place: list[str | int] = []
    for name in names:
        if isinstance(body, dict) and (name in body or (missing and name == names[-1])):
            body = body.get(name)
            place.append(name)
        elif isinstance(body, list) and isinstance(name, int) and name < len(body):
            body = body[name]
            place.append(name)
    return place


def _reason(error: Mapping[str, Any], field: str, model: type[BaseModel] | None) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "json_invalid":
            return f"not JSON at character {error['loc'][1] + 1}"
        case "model_attributes_type" if isinstance(error["input"], bytes):
            return "send `content-type: application/json`"
        case "extra_forbidden" if model:
            key = ".".join(name for name in named(error["loc"][1:]) if not name.isdecimal())[:MAX_FIELD_CHARS]
            return f"unknown; the nearest known field is {nearest_key(model, key, OTHER_NAMES)!r}"
        case "too_long":
            return f"give at most {context['max_length']} items"
        case "too_short":
            return f"give at least {context['min_length']} items"
    if expected := EXPECTED.get(error["type"]):
        return f"give {expected}"
    message = str(error["msg"])
    return (message[:1].lower() + message[1:]).replace("string should", "text should")

"""Errors as problem JSON (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from actors.web.middleware.request_facts import request_facts
from schemas.base import is_model, named, nearest_key
from schemas.errors import (
    DeadlineError,
    FailedError,
    InputError,
    OverloadedError,
    ProtocolError,
    PubrayError,
    ServiceError,
    UnknownError,
)
from schemas.search import OpenAIError, Problem

STATUS: dict[type[PubrayError], HTTPStatus] = {
    UnknownError: HTTPStatus.NOT_FOUND,
    ProtocolError: HTTPStatus.BAD_REQUEST,
    InputError: HTTPStatus.UNPROCESSABLE_ENTITY,
    OverloadedError: HTTPStatus.TOO_MANY_REQUESTS,
    DeadlineError: HTTPStatus.GATEWAY_TIMEOUT,
    FailedError: HTTPStatus.INTERNAL_SERVER_ERROR,
    ServiceError: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Of each error its status; a subclass stands before what it is a kind of."""
RETRY_SECONDS = 1
RETRIED = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
"""The same request may succeed later."""
MEDIA_TYPE = "application/problem+json"
MAX_FIELD_CHARS = 50
MAX_EXPLAINED = 10
"""Fields whose errors are told: a body may have a hundred thousand wrong ones."""
OPENAI_PATHS = ("/v1/embeddings", "/v1/models")
"""Where, and below which, an error has OpenAI's form too: without it their client says the status and nothing else."""
DOCUMENTED = (400, 401, 404, 413, 422, 429, 500, 503, 504)
"""What any route may answer."""
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in DOCUMENTED
}


def handle_problems(app: FastAPI) -> None:
    """Let an application answer its errors so."""

    @app.exception_handler(HTTPException)
    async def failed(_: Request, error: HTTPException) -> Response:
        return problem(HTTPStatus(error.status_code), _explain_failure(error), error.headers)

    @app.exception_handler(PubrayError)
    async def refused(_: Request, error: PubrayError) -> Response:
        status = status_of(error)
        if status is None:
            raise error
        return problem(status, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, explain(error, _asked_model(request)))


def status_of(error: PubrayError) -> HTTPStatus | None:
    """Return the status that answers an error; None for one that no request can be to blame for."""
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), None)


def retry_after(status: HTTPStatus) -> dict[str, str]:
    """Return the header that says when to try again, where that helps."""
    return {"retry-after": str(RETRY_SECONDS)} if status in RETRIED else {}


def problem(status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error answer; it says when to try again where that helps, and asks for a key where one is missing."""
    code, facts = status.name.lower(), request_facts()
    content = Problem(
        title=status.phrase,
        status=status,
        detail=detail,
        request_id=facts.id,
        error=OpenAIError(message=detail, type=code, code=code) if facts.path.startswith(OPENAI_PATHS) else None,
    )
    all_headers = dict(headers or {}) | retry_after(status)
    if status == HTTPStatus.UNAUTHORIZED:
        all_headers["www-authenticate"] = 'Bearer realm="pubray"'
    return Response(content.model_dump_json(exclude_none=True), status, all_headers, MEDIA_TYPE)


def explain(error: RequestValidationError, model: type[BaseModel] | None = None) -> str:
    """Say in one clause each which fields are wrong and why, without echoing a long value.

    `model` is what the request was to be: with it, a field that is unknown is told the nearest known one.
    """
    return "; ".join(_explain(one, model) for one in error.errors()[:MAX_EXPLAINED])


def _explain(error: Mapping[str, Any], model: type[BaseModel] | None) -> str:
    part, *names = error["loc"]
    field = ".".join(named(names))[:MAX_FIELD_CHARS] or part
    match error["type"]:
        case "json_invalid":
            return f"{part}: not JSON at character {names[0] + 1}"
        case "model_attributes_type" if isinstance(error["input"], bytes):
            return f"{field}: send `content-type: application/json`"
        case "model_attributes_type":
            return f"{field}: give an object, as {{…}}"
        case "extra_forbidden" if model:
            key = ".".join(name for name in named(names) if not name.isdecimal())[:MAX_FIELD_CHARS]
            return f"{field}: unknown; the nearest known field is {nearest_key(model, key)!r}"
    return f"{field}: {error['msg'].lower()}"


def _explain_failure(error: HTTPException) -> str:
    """Say why a body could not be read, where FastAPI says no more than that; else what the error says."""
    match error.__cause__:
        case UnicodeDecodeError():
            return "body: not UTF-8; send JSON, uncompressed"
        case RecursionError():
            return "body: JSON that is nested too deeply"
        case ValueError():
            return "body: JSON with a number that is too long"
    return error.detail


def _asked_model(request: Request) -> type[BaseModel] | None:
    """Return the model of what a route takes as its body or parameters, if it takes one."""
    taken = request.scope["route"].dependant
    kinds = (parameter.field_info.annotation for parameter in (*taken.body_params, *taken.query_params))
    return next((kind for kind in kinds if is_model(kind)), None)

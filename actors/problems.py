"""Errors as problem JSON (RFC 9457)."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from schemas.errors import DeadlineError, InputError, OverloadedError, PubrayError, ServiceError, UnknownError
from schemas.search import Problem

STATUS: dict[type[PubrayError], HTTPStatus] = {
    UnknownError: HTTPStatus.NOT_FOUND,
    InputError: HTTPStatus.UNPROCESSABLE_ENTITY,
    OverloadedError: HTTPStatus.TOO_MANY_REQUESTS,
    DeadlineError: HTTPStatus.GATEWAY_TIMEOUT,
    ServiceError: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Of each error its status; a subclass stands before what it is a kind of."""
RETRY_SECONDS = 1
RETRIED = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
"""The same request may succeed later."""


def handle_problems(app: FastAPI) -> None:
    """Let an application answer its errors so."""

    @app.exception_handler(HTTPException)
    async def failed(_: Request, error: HTTPException) -> JSONResponse:
        return problem(HTTPStatus(error.status_code), error.detail)

    @app.exception_handler(PubrayError)
    async def refused(_: Request, error: PubrayError) -> JSONResponse:
        status = status_of(error)
        if status is None:
            raise error
        return problem(status, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(_explain(e) for e in error.errors()))

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> JSONResponse:
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the service failed; its log has the reason")


def problem(status: HTTPStatus, detail: str) -> JSONResponse:
    """Return an error answer, which says when to try again where that helps."""
    content = Problem(title=status.phrase, status=status, detail=detail).model_dump()
    return JSONResponse(content, status, retry_after(status), media_type="application/problem+json")


def status_of(error: PubrayError) -> HTTPStatus | None:
    """Return the status that answers an error; None for one that no request can be to blame for."""
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), None)


def retry_after(status: HTTPStatus) -> dict[str, str]:
    """Return the header that says when to try again, where that helps."""
    return {"retry-after": str(RETRY_SECONDS)} if status in RETRIED else {}


def _explain(error: dict[str, object]) -> str:
    """Say in one clause which field is wrong and why, without echoing a long value."""
    location = error["loc"]
    field = ".".join(str(part) for part in location[1:]) if isinstance(location, tuple) else ""
    return f"{field or 'body'}: {str(error['msg']).lower()}"

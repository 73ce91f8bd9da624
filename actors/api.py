"""The HTTP API over a search service. Errors are problem JSON (RFC 9457)."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.service import SearchService
from schemas.errors import InputError
from schemas.search import Problem, SearchRequest, SearchResponse, VersionInfo

MAX_BODY_BYTES = 1_000_000
"""Room for the longest query and task, every character escaped (120 kB), and the longest filters in ASCII (800 kB)."""


def create_app(service: SearchService) -> FastAPI:
    """Return the ASGI application: `POST /v1/search`, `GET /healthz`, `GET /version`, documentation at `/docs`."""
    app = FastAPI(
        title="pubray",
        description="Dense search over PubMed with re-ranking.",
        responses={422: {"model": Problem}},
    )

    app.add_middleware(BodyLimit)

    @app.exception_handler(HTTPException)
    async def failed(_: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, HTTPStatus(error.status_code).phrase, error.detail)

    @app.exception_handler(InputError)
    async def refused(_: Request, error: InputError) -> JSONResponse:
        return problem(422, "Invalid request", str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, "Invalid request", "; ".join(_explain(e) for e in error.errors()))

    @app.post("/v1/search")
    async def search(request: SearchRequest) -> SearchResponse:
        """Return the k articles that answer a query best."""
        return await service.search(request)

    @app.get("/version")
    async def version() -> VersionInfo:
        """Say which index version, encoder and re-ranker answer."""
        return service.version()

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "ok"}

    return app


class BodyLimit:
    """ASGI middleware that reads no more of a request than `MAX_BODY_BYTES`, whatever its headers say.

    FastAPI's own max_body_size answers in plain text.
    """

    def __init__(self, app: ASGIApp) -> None:
        """`app` is what reads the request."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raise `HTTPException` in the application where it reads beyond the limit."""
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > MAX_BODY_BYTES:
                raise HTTPException(413, f"body of more than {MAX_BODY_BYTES} bytes; send a shorter query or filter")
            return message

        await self._app(scope, limited, send)


def problem(status: int, title: str, detail: str) -> JSONResponse:
    """Return an error answer."""
    content = Problem(title=title, status=status, detail=detail).model_dump()
    return JSONResponse(content, status, media_type="application/problem+json")


def _explain(error: dict[str, object]) -> str:
    """Say in one clause which field is wrong and why, without echoing a long value."""
    location = error["loc"]
    field = ".".join(str(part) for part in location[1:]) if isinstance(location, tuple) else ""
    return f"{field or 'body'}: {str(error['msg']).lower()}"

"""What stands before the routes: headers, CORS, the request log, keys and limits."""

from typing import NamedTuple

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.web.middleware.api_keys import ApiKeys
from actors.web.middleware.limits import with_body_limit
from actors.web.middleware.request_log import ID_HEADER, RequestLog

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
"""For JSON: nothing of it is to be run, shown in a frame or guessed at. A page brings a policy of its own."""


class Front(NamedTuple):
    """Its settings."""

    key_digests: frozenset[str] = frozenset()
    """sha256 of the API keys; none: a request needs no key."""
    cors_origins: tuple[str, ...] = ()
    """Whose pages may call the API from a browser."""
    log_queries: bool = False
    tell_id: bool = True
    """Put the request id into a header of the response; not where the server in front does so."""


def put_before(app: FastAPI, front: Front) -> None:
    """Put it before an application's routes; what is added last sees a request first."""
    app.add_middleware(with_body_limit)
    if front.key_digests:
        app.add_middleware(ApiKeys, digests=front.key_digests)
    app.add_middleware(RequestLog, queries=front.log_queries, tell_id=front.tell_id)
    if front.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=front.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("authorization", "content-type", "x-api-key", ID_HEADER),
            expose_headers=(ID_HEADER, "retry-after"),
        )
    app.add_middleware(with_security_headers)


def with_security_headers(app: ASGIApp) -> ASGIApp:
    """Wrap an application: its responses have `HEADERS`, where they do not bring their own."""

    async def secured_app(scope: Scope, receive: Receive, send: Send) -> None:
        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await app(scope, receive, secured)

    return secured_app

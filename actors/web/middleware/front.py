"""What stands before the routes: headers, CORS, the request log, keys and limits."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.web.middleware.limits import with_body_limit
from actors.web.middleware.problems import problem
from actors.web.middleware.request_facts import note
from actors.web.middleware.request_log import ID_HEADER, RequestLog
from schemas.errors import UsageError

OPEN = {"/health", "/healthz", "/readyz"}
"""What an orchestrator asks needs no key."""
DIGEST = re.compile(r"[0-9a-f]{64}")
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
            allow_headers=("authorization", "content-encoding", "content-type", "x-api-key", ID_HEADER),
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


def key_digests(lines: Iterable[str], origin: str) -> frozenset[str]:
    """Return the digests that lines hold, one sha256 in hex each; `#` starts a comment.

    Raises:
        UsageError: a line is no digest, or there is none at all: a service meant to be closed would be open.
    """
    digests = {number: text for number, line in enumerate(lines, 1) if (text := line.partition("#")[0].strip())}
    for number, text in digests.items():
        if not DIGEST.fullmatch(text):  # it may be a key: not shown
            raise UsageError(f"{origin}: line {number} is no sha256 of 64 hex digits; give that of a key, not the key")
    if not digests:
        raise UsageError(f"{origin}: no key; add one, or remove the setting to serve without keys")
    return frozenset(digests.values())


class ApiKeys:
    """ASGI middleware: only requests with a key pass, as `Authorization: Bearer KEY` or `x-api-key: KEY`.

    Only digests of the keys are known, and compared in constant time.
    """

    def __init__(self, app: ASGIApp, *, digests: frozenset[str]) -> None:
        """`digests` are sha256 in hex."""
        self._app, self._digests = app, digests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN or self._is_known(_keys(scope)):
            await self._app(scope, receive, send)
            return
        refusal = problem(HTTPStatus.UNAUTHORIZED, "give an API key: Authorization: Bearer KEY, or x-api-key: KEY")
        await refusal(scope, receive, send)

    def _is_known(self, keys: list[bytes]) -> bool:
        """Compare each key with all digests, whichever is equal; note the start of the one that is."""
        for key in keys:
            digest = hashlib.sha256(key).hexdigest()
            if sum(hmac.compare_digest(digest, other) for other in self._digests):
                note(key=digest[:8])
                return True
        return False


def _keys(scope: Scope) -> list[bytes]:
    found = []
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            found.append(value.strip())
        elif name == b"authorization" and value[:7].lower() == b"bearer ":
            found.append(value[7:].strip())
    return found

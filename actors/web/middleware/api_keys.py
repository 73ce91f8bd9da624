"""API keys: a service knows only their digests, and compares them in constant time."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from actors.web.middleware.problems import problem
from actors.web.middleware.request_facts import note
from schemas.errors import UsageError

OPEN = {"/healthz", "/readyz"}
"""What an orchestrator asks needs no key."""
DIGEST = re.compile(r"[0-9a-f]{64}")


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
    """ASGI middleware: only requests with a key pass, as `Authorization: Bearer KEY` or `x-api-key: KEY`."""

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
        known = False
        for key in keys:
            digest = hashlib.sha256(key).hexdigest()
            for other in self._digests:
                known |= hmac.compare_digest(digest, other)
            if known:
                note(key=digest[:8])
                break
        return known


def _keys(scope: Scope) -> list[bytes]:
    found = []
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            found.append(value.strip())
        elif name == b"authorization" and value[:7].lower() == b"bearer ":
            found.append(value[7:].strip())
    return found

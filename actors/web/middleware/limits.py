"""What a request may bring, and how long it may take."""

import asyncio
import zlib
from collections.abc import Awaitable
from typing import TypeVar

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.errors import DeadlineError

T = TypeVar("T")

MAX_BODY_BYTES = 1_000_000
"""Room for the longest query and task, every character escaped (120 kB), and the longest filters in ASCII (800 kB)."""
MAX_TEXTS_BYTES = 10_000_000
"""Room for the texts of 1,000 long articles."""
TEXTS_PATHS = {
    *("/v1/embeddings", "/embeddings", "/embed", "/v2/embed"),
    *("/v1/rerank", "/v2/rerank", "/rerank", "/v1/score", "/score"),
}
GZIP_BYTES = 10_000
"""More than what does not get smaller grows by as gzip."""
BROKEN = "body: no whole gzip, or more after it; pack it anew, or leave out content-encoding"


def with_body_limit(app: ASGIApp) -> ASGIApp:
    """Wrap an application: it reads a body unpacked, and no more of it than a request may bring, whatever headers say.

    Beyond the limit its reading raises `HTTPException`; FastAPI's own max_body_size answers in plain text.
    """

    async def limited_app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        limit = MAX_TEXTS_BYTES if scope["path"] in TEXTS_PATHS else MAX_BODY_BYTES
        body = Body(Headers(scope=scope).get("content-encoding", "identity").strip().lower(), limit)

        async def limited() -> Message:
            message = await receive()
            if message["type"] != "http.request":
                return message
            return {**message, "body": body.read(message.get("body", b""), last=not message.get("more_body"))}

        await app(scope, limited, send)

    return limited_app


class Body:
    """A body that comes in pieces, as gzip or as it is; gzip is unpacked to the limit and no further.

    HTTPException: it is longer (413), or no whole gzip, or of another encoding (400).
    """

    def __init__(self, encoding: str, limit: int) -> None:
        self._encoding, self._limit, self._came, self._unpacked = encoding, limit, 0, 0
        self._gzip = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def read(self, piece: bytes, *, last: bool) -> bytes:
        """Return what the next piece is."""
        self._came += len(piece)
        if self._encoding in ("gzip", "x-gzip"):
            self._check(self._came - GZIP_BYTES)
            return self._unpack(piece, last=last)
        self._check(self._came)
        if self._encoding != "identity" and piece:
            raise HTTPException(400, f"content-encoding {self._encoding[:20]!r}: send gzip, or JSON as it is")
        return piece

    def _unpack(self, piece: bytes, *, last: bool) -> bytes:
        try:
            unpacked = self._gzip.decompress(piece, self._limit - self._unpacked + 1)
        except zlib.error:
            raise HTTPException(400, BROKEN) from None
        self._unpacked += len(unpacked)
        self._check(self._unpacked)
        if self._gzip.unused_data or (last and not self._gzip.eof):
            raise HTTPException(400, BROKEN)
        return unpacked

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise HTTPException(413, f"body of more than {self._limit} bytes; send less at a time")


async def within(seconds: float, answer: Awaitable[T]) -> T:
    """Return what is awaited, whose work is cancelled at the deadline; then DeadlineError."""
    try:
        return await asyncio.wait_for(answer, seconds)
    except TimeoutError:
        raise DeadlineError(f"no answer within {seconds:g} s; try again, or ask for less") from None

"""What a request may bring, and how long it may take."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.errors import DeadlineError

T = TypeVar("T")

MAX_BODY_BYTES = 1_000_000
"""Room for the longest query and task, every character escaped (120 kB), and the longest filters in ASCII (800 kB)."""
MAX_TEXTS_BYTES = 10_000_000
"""Room for the texts of 1,000 long articles."""
TEXTS_PATHS = {"/v1/embeddings", "/v1/rerank", "/v2/rerank", "/rerank"}


def with_body_limit(app: ASGIApp) -> ASGIApp:
    """Wrap an application: it can read no more of a request than that may bring, whatever its headers say.

    Beyond the limit its reading raises `HTTPException`; FastAPI's own max_body_size answers in plain text.
    """

    async def limited_app(scope: Scope, receive: Receive, send: Send) -> None:
        read, limit = 0, MAX_TEXTS_BYTES if scope.get("path") in TEXTS_PATHS else MAX_BODY_BYTES

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise HTTPException(413, f"body of more than {limit} bytes; send less at a time")
            return message

        await app(scope, limited, send)

    return limited_app


async def within(seconds: float, answer: Awaitable[T]) -> T:
    """Return what is awaited, whose work is cancelled at the deadline; then DeadlineError."""
    try:
        return await asyncio.wait_for(answer, seconds)
    except TimeoutError:
        raise DeadlineError(f"no answer within {seconds:g} s; try again, or ask for less") from None

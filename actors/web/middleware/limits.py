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


class BodyLimit:
    """ASGI middleware that reads no more of a request than it may bring, whatever its headers say.

    FastAPI's own max_body_size answers in plain text.
    """

    def __init__(self, app: ASGIApp) -> None:
        """`app` is what reads the request."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raise `HTTPException` in the application where it reads beyond the limit."""
        read = 0
        limit = MAX_TEXTS_BYTES if scope.get("path") in TEXTS_PATHS else MAX_BODY_BYTES

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise HTTPException(413, f"body of more than {limit} bytes; send less at a time")
            return message

        await self._app(scope, limited, send)


async def within(seconds: float, answer: Awaitable[T]) -> T:
    """Return what is awaited, whose work is cancelled at the deadline.

    Raises:
        DeadlineError: it takes longer.
    """
    try:
        return await asyncio.wait_for(answer, seconds)
    except TimeoutError:
        raise DeadlineError(f"no answer within {seconds:g} s; try again, or ask for less") from None

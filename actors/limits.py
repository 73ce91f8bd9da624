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


async def within(seconds: float, answer: Awaitable[T]) -> T:
    """Return what is awaited, whose work is cancelled at the deadline.

    Raises:
        DeadlineError: it takes longer.
    """
    try:
        return await asyncio.wait_for(answer, seconds)
    except TimeoutError:
        raise DeadlineError(f"no answer within {seconds:g} s; try again, or ask for fewer candidates") from None

"""Work in a thread that ends when nobody waits for it any more."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_given_up: ContextVar[threading.Event | None] = ContextVar("given_up", default=None)


class GivenUpError(Exception):
    """Nobody waits for the result."""


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a function returns in a thread. If this is cancelled, its steps `while_awaited` go no further."""
    event = threading.Event()
    token = _given_up.set(event)
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except asyncio.CancelledError:
        event.set()
        raise
    finally:
        _given_up.reset(token)


def while_awaited(steps: Iterable[T]) -> Iterator[T]:
    """Yield each step while somebody waits for the work; outside of `in_thread` somebody always does.

    Raises:
        GivenUpError: nobody does.
    """
    event = _given_up.get()
    for step in steps:
        if event and event.is_set():
            raise GivenUpError
        yield step

"""One writer at a time: a job that changes a store is the one who writes, and a job inside a job shares that."""

import datetime
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar, cast

from actors.store.stores import open_store
from schemas.config import Config

Run = TypeVar("Run", bound=Callable[..., Any])

_held: ContextVar[frozenset[str]] = ContextVar("held", default=frozenset())


@contextmanager
def writing(config: Config, job: str) -> Iterator[None]:
    """Be the one who writes to the store.

    Raises:
        WriterError: another job does; says which, and since when.
        StoreError: the store cannot be written.
    """
    if config.store in _held.get():
        yield
        return
    since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    who = f"pubray {job}, process {os.getpid()} on {platform.node()}, since {since}"
    with open_store(config).writing(who):
        token = _held.set(_held.get() | {config.store})
        try:
            yield
        finally:
            _held.reset(token)


def writes(job: str) -> Callable[[Run], Run]:
    """Let the `run` of a job be the one who writes."""

    def decorate(run: Run) -> Run:
        @wraps(run)
        def alone(config: Config, **options: Any) -> Any:
            with writing(config, job):
                return run(config, **options)

        return cast("Run", alone)

    return decorate

"""One writer at a time: a job that changes a store holds its lock, and a job inside a job shares it."""

import datetime
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from retrieval.files.atomic import lock
from schemas.config import Config
from schemas.errors import StoreError, WriterError
from schemas.layout import Layout

Run = TypeVar("Run", bound=Callable[..., Any])

_held: ContextVar[frozenset[str]] = ContextVar("held", default=frozenset())


@contextmanager
def writing(config: Config, job: str) -> Iterator[None]:
    """Hold the lock of the store, which ends with this process however that ends.

    Raises:
        WriterError: another job holds it; says which, and since when.
        StoreError: the store cannot be written.
    """
    layout = Layout(config.store)
    if layout.root in _held.get():
        yield
        return
    path = Path(layout.writer_lock)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        raise StoreError(f"store {layout.root}: {error.strerror}; name a folder that can be written") from None
    with file:
        if not lock(file, wait=False):
            file.seek(0)
            who = file.read().decode() or "another job"
            raise WriterError(f"store {layout.root}: {who} is writing; wait until it has ended")
        since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        file.truncate(0)
        file.write(f"pubray {job}, process {os.getpid()} on {platform.node()}, since {since},".encode())
        file.flush()
        token = _held.set(_held.get() | {layout.root})
        try:
            yield
        finally:
            _held.reset(token)
            file.truncate(0)


def writes(job: str) -> Callable[[Run], Run]:
    """Let the `run` of a job hold the lock."""

    def decorate(run: Run) -> Run:
        @wraps(run)
        def locked(config: Config, **options: Any) -> Any:
            with writing(config, job):
                return run(config, **options)

        return cast("Run", locked)

    return decorate

"""One writer at a time: a job that changes a store is the one who writes, and a job inside a job shares that."""

import datetime
import os
import platform
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar, cast

from actors.store.stores import open_store
from jobs.common.broken_off import broken_off_by
from jobs.common.console import doing
from jobs.common.store import READ, RUNS, read_current, write_current
from schemas.config import Config
from schemas.errors import LostError
from schemas.manifest import Current
from schemas.store import Store
from schemas.writers import Holder

Run = TypeVar("Run", bound=Callable[..., Any])

_held: ContextVar[frozenset[str]] = ContextVar("held", default=frozenset())


@contextmanager
def writing(config: Config, job: str) -> Iterator[None]:
    """Be the one who writes to the store.

    Raises:
        WriterError: another job is; says which, since when, how far it is.
        LostError: another has become it meanwhile, because this one was silent for too long.
        StoreError: the store cannot be written.
    """
    if config.store in _held.get():
        yield
        return
    store, since = open_store(config), datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    lost = LostError(
        f"store {store.root}: this run could not be heard of for {config.lease.seconds:g} s, so that another may write "
        "by now; what is finished is kept, run it again to go on"
    )
    who = f"pubray {job}, process {os.getpid()} on {platform.node()}, since {since}"
    run = uuid.uuid4().hex
    with broken_off_by(lost) as stop, store.writing(Holder(run, who, doing, stop)) as outlived:
        if outlived:
            take_over(store, run)
        runs = RUNS.set({**RUNS.get(), **({store.root: run} if outlived else {})})
        token, read = _held.set(_held.get() | {config.store}), READ.set({})
        try:
            yield
        finally:
            _held.reset(token)
            READ.reset(read)
            RUNS.reset(runs)


def take_over(store: Store, run: str) -> None:
    """Change CURRENT, so that whoever wrote before, and does not know that he does no more, cannot."""
    while True:
        current = read_current(store)
        begun = Current(version=None, epoch=0) if current is None else current
        if write_current(store, current, begun.model_copy(update={"epoch": begun.epoch + 1, "writer": run})):
            return


def writes(job: str) -> Callable[[Run], Run]:
    """Let the `run` of a job be the one who writes."""

    def decorate(run: Run) -> Run:
        @wraps(run)
        def alone(config: Config, **options: Any) -> Any:
            with writing(config, job):
                return run(config, **options)

        return cast("Run", alone)

    return decorate

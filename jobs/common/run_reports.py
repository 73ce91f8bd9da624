"""What is told of a run: the time of each stage, why it failed, its report as JSON."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ParamSpec, TypeVar

from retrieval.files.disk_errors import told
from schemas.base import Frozen
from schemas.errors import ClusterError, PubrayError

HOUR = 3600.0
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Stages:
    """Calls things under names of their own, and keeps how long each took, in seconds."""

    def __init__(
        self,
        begun: Callable[[str], None] = lambda name: None,
        limit: Callable[[str], AbstractContextManager[None]] = lambda name: nullcontext(),
        price: Callable[[], float] = lambda: 0,
    ) -> None:
        """`begun` is told the name of each before it is called; `limit` gives what each is called in; `price` is what
        the machines cost that it ended with, in USD an hour."""
        self._begun, self._limit, self._price = begun, limit, price
        self.seconds: dict[str, float] = {}
        """By name, in order; of the last call also if it failed."""
        self.usd: dict[str, float] = {}
        """By name, of those that did not fail."""
        self.results: dict[str, object] = {}
        """What the calls returned that did not fail."""

    def run(
        self, name: str, function: Callable[Arguments, Result], *arguments: Arguments.args, **options: Arguments.kwargs
    ) -> Result:
        assert name not in self.seconds
        self._begun(name)
        start = time.monotonic()
        try:
            with self._limit(name):
                result = self.results[name] = function(*arguments, **options)
        finally:
            self.seconds[name] = time.monotonic() - start
        self.usd[name] = self.seconds[name] / HOUR * self._price()
        return result


LOSSES = (
    "LocalRayletDiedError",
    "NodeDiedError",
    "ObjectLostError",
    "ObjectStoreFullError",
    "OutOfDiskError",
    "OutOfMemoryError",
    "OwnerDiedError",
    "RpcError",
    "TaskUnschedulableError",
    "WorkerCrashedError",
)
"""What Ray raises where a machine or a process fails, and no code of ours."""


def root_cause(error: BaseException) -> BaseException:
    """Return the `PubrayError` that a chain of errors wraps, or as what its machine failed; else the outermost."""
    links = list(_links(error))
    known = (link for link in links if isinstance(link, PubrayError) and not hasattr(link, "cause"))
    of_disk = (told(link, "") for link in links if isinstance(link, OSError))
    of_ray = (_lost(link) for link in links if type(link).__name__ in LOSSES)
    return next(known, None) or next(filter(None, of_disk), None) or next(of_ray, error)


def _lost(error: BaseException) -> ClusterError:
    why = next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
    return ClusterError(f"Ray lost what it worked with ({why}); what is finished is kept, run it again to go on")


def why_of(cause: BaseException) -> str:
    """Return why a run failed, in one line."""
    if isinstance(cause, PubrayError):
        return str(cause)
    return " ".join(f"{type(cause).__name__}: {cause}".split()).removesuffix(":")


def _links(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that are behind it; Ray's have a `cause` of their own."""
    seen, waiting = set[int](), [error]
    while waiting:
        link = waiting.pop()
        if id(link) not in seen:
            seen.add(id(link))
            yield link
            causes = (link.__context__, link.__cause__, getattr(link, "cause", None))
            waiting += [cause for cause in causes if isinstance(cause, BaseException)]


def json_values(report: Frozen) -> dict[str, Any]:
    """Return a report as JSON has it, without what nothing is told of."""
    return report.model_dump(mode="json", exclude_unset=True)

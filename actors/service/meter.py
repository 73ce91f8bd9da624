"""What the service reports of itself while it runs."""

from typing import Protocol


class Meter(Protocol):
    """Takes reports; called for every request, so it must be quick."""

    def stage(self, name: str, seconds: float) -> None:
        """A stage of a request took so long: cache, encode, search, rerank."""
        ...

    def call(self, part: str, items: int, waiting: int) -> None:
        """A call of so many items goes to a part of the service, while so many wait."""
        ...

    def answered(self, version: str, *, cached: bool, degraded: bool, candidates: int) -> None:
        """A query was answered, from so many articles that the re-ranker saw."""
        ...


class SilentMeter:
    """Reports nothing: for one process."""

    def stage(self, name: str, seconds: float) -> None:
        """See `Meter`."""

    def call(self, part: str, items: int, waiting: int) -> None:
        """See `Meter`."""

    def answered(self, version: str, *, cached: bool, degraded: bool, candidates: int) -> None:
        """See `Meter`."""

"""What the service reports of itself while it runs."""


class Meter:
    """Takes reports and drops them, for one process. One that keeps them must be quick: it is called per request."""

    def stage(self, name: str, seconds: float) -> None:
        """A stage of a request took so long: cache, encode, search, rerank."""

    def call(self, part: str, items: int, waiting: int) -> None:
        """A call of so many items goes to a part of the service, while so many wait."""

    def answered(self, version: str, *, cached: bool, degraded: bool, candidates: int) -> None:
        """A query was answered, from so many articles that the re-ranker saw."""

"""What several jobs are made of: steps, with the time of each."""

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Stages:
    """Calls things under names of their own, and keeps how long each took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        """By name, in order; of the last call also if it failed."""
        self.results: dict[str, object] = {}
        """What the calls returned that did not fail."""

    def run(
        self, name: str, function: Callable[Arguments, Result], *arguments: Arguments.args, **options: Arguments.kwargs
    ) -> Result:
        """Call a function under a name; return what it returns."""
        assert name not in self.seconds
        start = time.monotonic()
        try:
            result = self.results[name] = function(*arguments, **options)
        finally:
            self.seconds[name] = time.monotonic() - start
        return result

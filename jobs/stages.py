"""Jobs run one after the other, with the time of each."""

import time
from collections.abc import Callable
from typing import Any


class Stages:
    """Runs jobs and keeps how long each took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(self, name: str, job: Callable[..., Any], *arguments: Any) -> Any:
        """Run a job under a name; return what it returns."""
        start = time.monotonic()
        result = job(*arguments)
        self.seconds[name] = time.monotonic() - start
        return result

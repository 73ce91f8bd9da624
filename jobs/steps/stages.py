"""Jobs run by other jobs, as their command lines run them, with the time of each."""

import argparse
import time
from collections.abc import Callable
from typing import Any, Protocol

from schemas.config import Config


class Job(Protocol):
    """What a module of `jobs/` that is a command has."""

    __name__: str

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the job's own options."""

    def run(self, config: Config, options: argparse.Namespace) -> Any:
        """Do it, and return a report that can be JSON."""

    def show(self, report: Any) -> str:
        """Return the report for a person."""


def run_job(job: Job, config: Config, *arguments: str) -> Any:
    """Run a job with the arguments that its command would have; return its report."""
    parser = argparse.ArgumentParser(prog=job.__name__)
    job.arguments(parser)
    return job.run(config, parser.parse_args(arguments))


class Stages:
    """Calls things and keeps how long each took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function under a name; return what it returns."""
        start = time.monotonic()
        result = function(*arguments)
        self.seconds[name] = time.monotonic() - start
        return result

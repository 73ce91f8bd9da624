"""Runs of jobs, as a store lists them."""

from pydantic import Field

from schemas.base import Frozen


class Run(Frozen):
    """One run of a job."""

    run: str
    """Names it, and the folder of its report."""
    job: str
    started: str
    """UTC, ISO 8601."""
    outcome: str
    """running, done, nothing new, update files are missing, held, checks failed, not served, failed, interrupted, lost,
    died."""
    stage: str | None = None
    """The one that it is at, or was at when it ended otherwise than it should."""
    finished: str | None = None
    version: str | None = None
    """CURRENT at its end."""


class RunList(Frozen):
    """The last runs of a store, oldest first."""

    runs: tuple[Run, ...] = Field(default=())

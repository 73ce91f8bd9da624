"""Runs of jobs, as a store lists them."""

from typing import Literal

from pydantic import Field

from schemas.base import Frozen

Outcome = Literal[
    "running",
    "done",
    "nothing new",
    "update files are missing",
    "held",
    "checks failed",
    "not served",
    "failed",
    "interrupted",
    "lost",
    "died",
]
"""How a night goes or has ended; "died" is found by the next one."""

TRAININGS = ("train-retriever", "train-reranker")
"""Jobs that are runs of training."""


class NightFigures(Frozen):
    """What is told of a night beside those before it: of the version that it made, or found."""

    articles: int
    bytes: int
    dead_rows: int
    recall_at_10: float
    canaries: float | None = None
    """Share of those that find what they must."""
    encoded: int
    articles_per_second: float | None = None
    """Of the encoders, where there was something to encode."""
    seconds: float
    """Of all stages."""
    usd: float | None = None
    """Of all stages; None: the night is older than that."""


class TrainFigures(Frozen):
    """What is told of a run of training where its report is too much."""

    steps: int
    planned: int
    seconds: float
    tokens_per_second: float
    mfu: float
    loss: dict[str, float | None]
    ndcg_before: dict[str, float]
    ndcg_after: dict[str, float]
    """As in its report, a `TrainReport`."""


class Run(Frozen):
    """One run of a job."""

    run: str
    """Names it, and the folder of its report."""
    job: str
    started: str
    """UTC, ISO 8601."""
    outcome: str
    """An `Outcome`."""
    stage: str | None = None
    """The one that it is at, or was at when it ended otherwise than it should."""
    finished: str | None = None
    version: str | None = None
    """CURRENT at its end."""
    figures: NightFigures | TrainFigures | None = None
    """Of a night whose stages were all done; of a run of training so far."""
    training: str | None = None
    """Of a run of training: its id."""


class RunRecord(Run):
    """What is kept of a run in a report of its own, from its start on: what is known of it by then."""

    format: Literal[1]
    """Of this document; a field that is taken away or means something else is a new one."""
    error: str | None = None
    """Why it did not end with 0: the line that the terminal has."""
    exit_code: int | None = None


class NightEnd(Frozen):
    """What is told of a night that has ended."""

    outcome: str
    """An `Outcome`."""
    exit_code: int
    why: str | None
    """One line; None where all is as it should be."""
    run: str | None
    """None: it ended before it could say that it had begun."""
    report: str | None
    """The key of its report in the store."""
    store: str
    version: str | None
    """CURRENT at its end."""
    seconds: float


class RunList(Frozen):
    """The last runs of a store, oldest first."""

    runs: tuple[Run, ...] = Field(default=())

"""Pairs → a trained retriever, as a model of the store that `embed` and `serve` use."""

from typing import Annotated

from jobs import mine
from jobs.steps.train import train_run
from jobs.steps.train.train_run import CONFIG, PAIRS, show
from schemas.config import Config
from schemas.training_report import TrainReport

__all__ = ["run", "show"]


def run(
    config: Config,
    *,
    pairs: Annotated[str | None, PAIRS] = None,
    write_config: Annotated[str | None, CONFIG] = None,
) -> TrainReport:
    """Train the configured encoder, or go on where a run of the same pairs and configuration was stopped.

    Raises: as `train_run.run`, and without pairs as `mine.run`.
    """
    return train_run.run(config, "retriever", pairs or mine.run(config).pairs, write_config)

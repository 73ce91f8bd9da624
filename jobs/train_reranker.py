"""Pairs → a trained cross-encoder, as a model of the store that `rerank.kind = "cross-encoder"` takes."""

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
    """Train the configured cross-encoder, or one that starts as the encoder's article tower; or go on with it.

    Raises: as `train_run.run`, and without pairs as `mine.run`.
    """
    return train_run.run(config, "reranker", pairs or mine.run(config).pairs, write_config)

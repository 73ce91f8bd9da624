"""What a run of training trains, of whichever kind."""

from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch


class BatchFacts(NamedTuple):
    """What a batch was."""

    losses: dict[str, torch.Tensor]
    """The parts of the loss, of this worker's share; added up over the workers they are those of the batch."""
    tokens: int
    """Of the whole batch."""


class Learner(Protocol):
    """A model, and the batches that it learns from. Every worker has one; all of them call it alike."""

    @property
    def left_out(self) -> int:
        """Pairs that are not trained on, for they have too few mined negatives."""

    def learnt(self) -> dict[str, torch.nn.Parameter]:
        """Return what is trained, by name."""

    def add(self, batch: int, share: float) -> BatchFacts:
        """Add `share` of the gradient of batch number 0, 1, …: this worker's part, so that all together are the whole.

        Which examples it has is a pure function of the pairs, the seed and the number.
        """

    def evaluate(self) -> dict[str, float]:
        """Return by signal nDCG@10 of the held-out pairs by which a run decides."""

    def model(self, about: dict[str, Any], work: Path) -> dict[str, Any]:
        """Put the model into the store, with what it was made from; return the values of a configuration that uses it.

        work: a folder for what is made. The first worker alone writes; what others return is nothing.
        """

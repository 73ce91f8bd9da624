"""What evaluations found while a model was trained: which state was the best, and whether others are worth a wait."""

from collections.abc import Sequence
from typing import NamedTuple


class Point(NamedTuple):
    """An evaluation."""

    step: int
    ndcg: dict[str, float]
    """By signal."""

    @property
    def mean(self) -> float:
        """Of all signals, each of which counts alike."""
        return sum(self.ndcg.values()) / len(self.ndcg)


def best_step(curve: Sequence[Point]) -> int:
    """Return the step of the highest mean, of equal ones the first: it differs least from the start model."""
    return max(curve, key=lambda point: (point.mean, -point.step)).step


def is_past_best(curve: Sequence[Point], patience: int) -> bool:
    """Say whether the last `patience` evaluations, and so many there are, were no better than one before them."""
    return bool(patience and curve) and sum(point.step > best_step(curve) for point in curve) >= patience

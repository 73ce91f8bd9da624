"""A line of the table of benchmarks/train; part of benchmarks/train."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple


class Row(NamedTuple):
    """What was found."""

    what: str
    figure: float
    least: float | None = None
    most: float | None = None
    """What it is to be at least, or at most; neither: a figure to read the others by."""

    @property
    def limit(self) -> str:
        if self.least is not None:
            return f"≥ {self.least:g}"
        return "" if self.most is None else f"≤ {self.most:g}"

    @property
    def verdict(self) -> str:
        if not self.limit:
            return ""
        missed = (self.least is not None and self.figure < self.least) or (
            self.most is not None and self.figure > self.most
        )
        return "missed" if missed else "pass"


def ratio(of: Sequence[float], to: Sequence[float]) -> float:
    """Return the median of the ratios of figures that were taken in turn."""
    return median(a / b for a, b in zip(of, to, strict=True))

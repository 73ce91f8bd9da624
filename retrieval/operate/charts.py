"""Charts of a page, as coordinates of SVG: y grows downwards."""

from collections.abc import Sequence
from typing import NamedTuple

EDGE = 3.0
"""Of a line, for its dot and its stroke."""


class Line(NamedTuple):
    """Values over time, the last one at the right edge."""

    points: str
    """Of a polyline."""
    x: float
    y: float
    """Of the last value."""
    lowest: float
    highest: float


def line(values: Sequence[float | None], width: float, height: float) -> Line | None:
    """Return the line of values, the lowest at the bottom; None is a gap, and there is no line of fewer than two."""
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return None
    lowest, highest = (bound(value for _, value in known) for bound in (min, max))
    across, up = (width - 2 * EDGE) / (len(values) - 1), (height - 2 * EDGE) / ((highest - lowest) or 1)
    level = 0 if highest > lowest else (height - 2 * EDGE) / 2
    points = [(EDGE + across * place, height - EDGE - level - up * (value - lowest)) for place, value in known]
    return Line(" ".join(f"{x:.1f},{y:.1f}" for x, y in points), *points[-1], lowest, highest)


def shares(values: Sequence[float]) -> list[float]:
    """Return each value as a share of the greatest one, for bars."""
    greatest = max(values, default=0) or 1
    return [value / greatest for value in values]

"""Charts of a page, as coordinates of SVG: y grows downwards."""

from collections.abc import Iterator, Sequence
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


def line(values: Sequence[float | None], width: float, height: float, like: Line | None = None) -> Line | None:
    """Return the line of values, the lowest at the bottom; None is a gap, and there is no line of fewer than two.

    like: a line that this one is drawn over, with bounds that it keeps to.
    """
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return None
    lowest, highest = (bound(value for _, value in known) for bound in (min, max))
    if like:
        lowest, highest = like.lowest, like.highest
    across, up = (width - 2 * EDGE) / (len(values) - 1), (height - 2 * EDGE) / ((highest - lowest) or 1)
    level = 0 if highest > lowest else (height - 2 * EDGE) / 2
    points = [(EDGE + across * place, height - EDGE - level - up * (value - lowest)) for place, value in known]
    return Line(" ".join(f"{x:.1f},{y:.1f}" for x, y in points), *points[-1], lowest, highest)


def thinned(values: Sequence[float | None], most: int) -> list[float | None]:
    """Return values with gaps in place of all but `most`, whose line looks the same: of each stretch both extremes."""
    kept: list[float | None] = [None] * len(values)
    for stretch in _stretches(values, most // 2):
        for place, value in (min(stretch, key=_value), max(stretch, key=_value)) if len(stretch) > 2 else stretch:
            kept[place] = value
    return kept


def means(values: Sequence[float | None], most: int) -> list[float | None]:
    """Return `most` means at most, each in the middle of the stretch of values that it is of, and gaps."""
    kept: list[float | None] = [None] * len(values)
    for stretch in _stretches(values, most):
        kept[stretch[len(stretch) // 2][0]] = sum(value for _, value in stretch) / len(stretch)
    return kept


def _stretches(values: Sequence[float | None], most: int) -> Iterator[list[tuple[int, float]]]:
    """Yield the values by their places, in stretches of one length, but for the gaps in them."""
    length = -(-len(values) // most) or 1
    for start in range(0, len(values), length):
        places = range(start, min(start + length, len(values)))
        if stretch := [(place, value) for place in places if (value := values[place]) is not None]:
            yield stretch


def _value(placed: tuple[int, float]) -> float:
    return placed[1]


def shares(values: Sequence[float]) -> list[float]:
    """Return each value as a share of the greatest one, for bars."""
    greatest = max(values, default=0) or 1
    return [value / greatest for value in values]

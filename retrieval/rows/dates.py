"""Dates of articles: how they are kept, and which of them a condition on `date` holds for.

A date is the interval that it names: "2024" a year, "2024-03" a month, "2024-03-07" a day; those of articles and those
of conditions alike. A comparison holds where it does of every day that the article's date may be: `>=` where that does
not begin before the condition's, `<=` where it does not end after it, `=` where both are so, `<` where it ends before,
`>` where it begins after. `!=` is the opposite of `=`. Nothing is before or after, or in, no date.

A day is compared as the number year << 9 | month << 5 | day.
"""

from calendar import monthrange
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.arrays import Mask

NO_YEAR = np.iinfo(np.int16).min
BLOCK = 1 << 20
"""Rows that are compared at once, in some 30 bytes each."""
LAST_MONTH, LAST_DAY = 12, 31
"""A month ends on the 31st here, whatever its length, so that the ends of two intervals are equal where they are."""

Years = NDArray[np.int16]
Days = NDArray[np.uint16]
Number = TypeVar("Number", int, NDArray[np.int32])


def month_and_day(dates: pa.Array) -> Days:
    """Return month << 5 | day (n,) of ISO 8601 dates as precise as they are, 0 for what they do not say."""
    dates = dates.fill_null("")
    month, day = (pc.utf8_slice_codeunits(dates, start, start + 2) for start in (5, 8))
    numbers = (pc.if_else(pc.equal(text, ""), "0", text).cast(pa.uint16()).to_numpy() for text in (month, day))
    return np.bitwise_or(next(numbers) << 5, next(numbers))


def interval(date: str) -> tuple[int, int]:
    """Return the first and the last day of an ISO 8601 date."""
    year, month, day = (*map(int, date.split("-")), 0, 0)[:3]
    last = day or LAST_DAY
    if month and last == monthrange(year, month)[1]:
        last = LAST_DAY
    return _day(year, month or 1, day or 1), _day(year, month or LAST_MONTH, last)


def dates_hold(op: str, values: Sequence[str], years: Years, days: Days | None) -> Mask:
    """Return of which articles (n,) a condition holds, by their years (n,), and months and days (n,).

    Without `days` all that is known of a date is the year: for values that are years the answer is the same.
    """
    if op in ("!=", "not in"):
        return ~dates_hold("in", values, years, days)
    holds, intervals = np.zeros(len(years), bool), [interval(value) for value in values]
    for start in range(0, len(years), BLOCK):
        rows = slice(start, start + BLOCK)
        holds[rows] = _hold(op, intervals, years[rows], days[rows] if days is not None else np.zeros(1, np.uint16))
    return holds


def _hold(op: str, intervals: Sequence[tuple[int, int]], years: Years, days: Days) -> Mask:
    month, day = (part.astype(np.int32) for part in (days >> 5, days & LAST_DAY))
    first = _day(years.astype(np.int32), np.where(month, month, 1), np.where(day, day, 1))
    last = _day(years.astype(np.int32), np.where(month, month, LAST_MONTH), np.where(day, day, LAST_DAY))
    holds = np.zeros(len(years), bool)
    for begin, end in intervals:
        match op:
            case "<":
                holds |= last < begin
            case "<=":
                holds |= last <= end
            case ">":
                holds |= first > end
            case ">=":
                holds |= first >= begin
            case _:
                holds |= (first >= begin) & (last <= end)
    return holds & (years != NO_YEAR)


def _day(year: Number, month: Number, day: Number) -> Number:
    return year << 9 | month << 5 | day

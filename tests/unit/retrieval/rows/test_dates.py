from calendar import monthrange
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.rows import dates as dates_module
from retrieval.rows.dates import NO_YEAR, Days, Years, dates_hold, interval, month_and_day

DAYS = st.dates(date(2023, 12, 1), date(2024, 3, 31)) | st.just(date(2024, 2, 29))
DATES = st.tuples(DAYS, st.sampled_from([4, 7, 10])).map(lambda drawn: str(drawn[0])[: drawn[1]])
OPERATORS = ["=", "!=", "<", "<=", ">", ">=", "in", "not in"]


def span(text: str) -> tuple[date, date]:
    """The first and the last day that a date may be."""
    year, month, day = (*map(int, text.split("-")), 0, 0)[:3]
    last = day or monthrange(year, month or 12)[1]
    return date(year, month or 1, day or 1), date(year, month or 12, last)


def holds(published: str | None, op: str, values: list[str]) -> bool:
    """Look at the days one by one."""
    if op in ("!=", "not in"):
        return not holds(published, "in", values)
    if published is None:
        return False
    first, last = span(published)
    days = [first + timedelta(n) for n in range((last - first).days + 1)]
    for begin, end in map(span, values):
        of_day = {
            "<": lambda day, begin=begin: day < begin,
            "<=": lambda day, end=end: day <= end,
            ">": lambda day, end=end: day > end,
            ">=": lambda day, begin=begin: day >= begin,
        }.get(op, lambda day, begin=begin, end=end: begin <= day <= end)
        if all(map(of_day, days)):
            return True
    return False


def kept(published: list[str | None]) -> tuple[Years, Days]:
    years = np.array([int(text[:4]) if text else NO_YEAR for text in published], np.int16)
    return years, month_and_day(pa.array(published, pa.string()))


@given(st.lists(st.none() | DATES, max_size=9), st.sampled_from(OPERATORS), st.lists(DATES, min_size=1, max_size=3))
def test_a_comparison_holds_where_it_does_of_every_day_that_a_date_may_be(
    published: list[str | None], op: str, values: list[str]
) -> None:
    values = values if "in" in op else values[:1]
    expected = [holds(text, op, values) for text in published]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dates_module, "BLOCK", 4)
        assert dates_hold(op, values, *kept(published)).tolist() == expected


@given(st.lists(st.none() | DATES, max_size=9), st.sampled_from(OPERATORS), st.sampled_from(["2023", "2024"]))
def test_of_whole_years_the_year_says_all(published: list[str | None], op: str, year: str) -> None:
    years, days = kept(published)
    assert dates_hold(op, [year], years, None).tolist() == dates_hold(op, [year], years, days).tolist()


@pytest.mark.parametrize("value", ["2024", "2024-02", "2024-02-29"])
def test_equal_is_neither_before_nor_after_and_no_date_is_unequal(value: str) -> None:
    years, days = kept(["2024", "2024-02", "2024-02-29", "2023-12-31", "2024-03-01", None])
    at_least, at_most, equal, unequal = (dates_hold(op, [value], years, days) for op in (">=", "<=", "=", "!="))
    assert (equal == (at_least & at_most)).all()
    assert (unequal == ~equal).all()
    assert unequal[-1]


def test_a_month_and_a_day_take_two_bytes() -> None:
    found = month_and_day(pa.array(["2024-12-31", "2024-03", "2024", None]))
    assert found.dtype == np.uint16
    assert found.tolist() == [12 << 5 | 31, 3 << 5, 0, 0]


def test_the_last_day_of_a_month_is_the_end_of_that_month() -> None:
    assert interval("2024-02-29")[1] == interval("2024-02")[1] < interval("2024-03-01")[0]
    assert interval("2024-02-28")[1] < interval("2024-02")[1]

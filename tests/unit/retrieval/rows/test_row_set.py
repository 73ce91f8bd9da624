import faiss
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.rows.row_set import RowSet


@given(mask=st.lists(st.booleans(), min_size=1, max_size=70).filter(any))
def test_a_set_says_of_every_row_whether_it_is_in_it(mask: list[bool]) -> None:
    rows = RowSet(np.array(mask))
    expected = [row for row, wanted in enumerate(mask) if wanted]
    assert (rows.size, rows.count) == (len(mask), len(expected))
    assert rows.numbers.tolist() == expected
    assert np.flatnonzero(rows.holds(np.arange(len(mask)))).tolist() == expected
    assert [row for row in range(len(mask)) if rows.selector.is_member(row)] == expected
    assert isinstance(rows.selector, faiss.IDSelector)


def test_rows_are_asked_for_in_any_shape_and_a_missing_one_is_not_in_it() -> None:
    rows = RowSet(np.arange(20) % 2 == 1)
    assert rows.holds(np.array([[19, -1], [0, 1]])).tolist() == [[True, False], [False, True]]


def test_a_set_of_no_rows_is_a_set() -> None:
    assert RowSet(np.zeros(0, bool)).numbers.tolist() == []
    assert RowSet(np.zeros(9, bool)).count == 0


def test_sets_of_several_segments_are_one_whose_rows_are_numbered_on() -> None:
    masks = [np.arange(13) % 3 == 0, np.zeros(0, bool), np.arange(9) % 2 == 0]
    joined = RowSet.joined([RowSet(mask) for mask in masks])
    assert joined.numbers.tolist() == np.flatnonzero(np.concatenate(masks)).tolist()
    assert joined.size == 22

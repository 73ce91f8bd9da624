"""Tombstones as files."""

from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.rows.row_set import RowSet, read_tombstones, write_tombstones
from schemas.errors import IntegrityError, StoreError
from schemas.layout import Layout


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


def test_rows_come_back_sorted_and_equal_ones_are_one_file(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    one = write_tombstones(layout.tombstones, np.array([7, 3, 7]))
    assert one == write_tombstones(layout.tombstones, np.array([3, 7]))
    assert one.rows == 2
    assert read_tombstones(layout.tombstones, one).tolist() == [3, 7]
    assert len(list((tmp_path / "tombstones").iterdir())) == 1


@pytest.mark.parametrize("content", [b"", b"\0\0\0\0", b"\1\0\0\0\2\0\0"])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    layout = Layout(str(tmp_path))
    written = write_tombstones(layout.tombstones, np.array([1, 2]))
    path = Path(layout.tombstones(written.sha256))
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=f"{path}: sha256 "):
        read_tombstones(layout.tombstones, written)


def test_a_lost_file_is_told(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    written = write_tombstones(layout.tombstones, np.array([1]))
    Path(layout.tombstones(written.sha256)).unlink()
    with pytest.raises(StoreError, match=f"tombstones {written.sha256} is not in the store"):
        read_tombstones(layout.tombstones, written)

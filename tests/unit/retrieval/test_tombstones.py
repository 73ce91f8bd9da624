"""Tombstones as files, and finding the rows they name."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.tombstones import find_rows, read_tombstones, write_tombstones
from schemas.errors import IntegrityError, StoreError
from schemas.layout import Layout


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


@given(st.lists(st.integers(1, 60), max_size=40, unique=True), st.lists(st.integers(0, 61), max_size=20))
def test_the_rows_of_those_pmids_that_are_there_are_found(pmids: list[int], wanted: list[int]) -> None:
    held = np.array(pmids, np.int64)
    order = np.argsort(held).astype(np.uint32)
    rows = find_rows(held, order, np.array(wanted, np.int64))
    assert rows.tolist() == [pmids.index(pmid) for pmid in wanted if pmid in pmids]

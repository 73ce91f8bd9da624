"""Tombstones as files."""

from pathlib import Path
from unittest.mock import patch

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.store.local_store import LocalStore
from retrieval.rows import row_numbers
from retrieval.rows.row_numbers import RowSet, equal_rows, read_tombstones, rows_of, write_order, write_tombstones
from schemas.errors import IntegrityError, StoreError
from schemas.layout import Layout

KEYS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 50))
FEW = st.lists(st.integers(0, 9), max_size=200)


@settings(max_examples=60)
@given(keys=st.lists(KEYS, max_size=200), rows=st.integers(1, 50), sampled=st.integers(1, 8))
def test_rows_are_in_order_of_key_and_equals_in_order_of_row(
    keys: list[int], rows: int, sampled: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("order")
    np.array(keys, np.int64).tofile(folder / "keys")
    with patch.multiple(row_numbers, SORTED_ROWS=rows * sampled, SAMPLED=sampled):
        write_order(folder / "keys", folder / "order")
    assert np.fromfile(folder / "order", np.uint32).tolist() == sorted(range(len(keys)), key=lambda row: keys[row])


@settings(max_examples=60)
@given(keys=FEW, rows=st.integers(1, 50), seed=st.integers(0, 99))
def test_equals_are_in_order_of_their_ties_and_rows_of_one_key_can_be_left_out(
    keys: list[int], rows: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("order")
    ties = np.random.default_rng(seed).permutation(1000)[: len(keys)]
    np.array(keys, np.int64).tofile(folder / "keys")
    ties.astype(np.int64).tofile(folder / "ties")
    with patch.multiple(row_numbers, SORTED_ROWS=rows * 4, SAMPLED=4):
        write_order(folder / "keys", folder / "order", ties=folder / "ties", without=0)
    expected = sorted((row for row, key in enumerate(keys) if key), key=lambda row: (keys[row], ties[row]))
    assert np.fromfile(folder / "order", np.uint32).tolist() == expected


def test_a_file_of_many_ranges_is_sorted_like_one(tmp_path: Path) -> None:
    keys = np.random.default_rng(0).permutation(50_000).astype(np.int64)
    keys.tofile(tmp_path / "keys")
    with patch.object(row_numbers, "SORTED_ROWS", 4096):
        write_order(tmp_path / "keys", tmp_path / "order")
    assert np.array_equal(np.fromfile(tmp_path / "order", np.uint32), np.argsort(keys))


@given(st.lists(st.integers(1, 60), max_size=40, unique=True), st.lists(st.integers(0, 61), max_size=20))
def test_the_rows_of_those_keys_that_are_there_are_found(keys: list[int], wanted: list[int]) -> None:
    held, asked = np.array(keys, np.int64), np.array(wanted, np.int64)
    order = np.argsort(held).astype(np.uint32)
    assert rows_of(held, order, asked).tolist() == [keys.index(key) if key in keys else -1 for key in wanted]


@given(FEW, st.integers(0, 10), st.booleans())
def test_all_rows_of_a_key_are_found_in_their_order(keys: list[int], key: int, partial: bool) -> None:
    held = np.array(keys, np.int64)
    order = np.argsort(held, kind="stable").astype(np.uint32)
    order = order[held[order] > 0] if partial else order
    expected = [] if partial and key == 0 else [row for row, k in enumerate(keys) if k == key]
    assert equal_rows(held, order, key).tolist() == expected


@pytest.mark.parametrize("key", [-(2**63), 2**63 - 1])
def test_the_least_and_the_greatest_key_are_found(key: int) -> None:
    held = np.array([key, 5], np.int64)
    assert equal_rows(held, np.argsort(held).astype(np.uint32), key).tolist() == [0]


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
    store = LocalStore(str(tmp_path))
    one = write_tombstones(store, np.array([7, 3, 7]))
    assert one == write_tombstones(store, np.array([3, 7]))
    assert one.rows == 2
    assert read_tombstones(store, one).tolist() == [3, 7]
    assert len(list((tmp_path / "tombstones").iterdir())) == 1


@pytest.mark.parametrize("content", [b"", b"\0\0\0\0", b"\1\0\0\0\2\0\0"])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    store = LocalStore(str(tmp_path))
    written = write_tombstones(store, np.array([1, 2]))
    path = store.path(Layout.tombstones(written.sha256))
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=f"{path}: sha256 "):
        read_tombstones(store, written)


def test_a_lost_file_is_told(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    written = write_tombstones(store, np.array([1]))
    store.path(Layout.tombstones(written.sha256)).unlink()
    with pytest.raises(StoreError, match=f"tombstones {written.sha256} is not in the store"):
        read_tombstones(store, written)

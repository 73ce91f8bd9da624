"""Tombstones as files."""

from pathlib import Path

import numpy as np
import pytest

from retrieval.rows.tombstones import read_tombstones, write_tombstones
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

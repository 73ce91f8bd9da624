from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.files.mapped import map_array, map_file
from schemas.errors import IntegrityError


@pytest.mark.parametrize("values", [[], [1, -2, 3]])
def test_a_file_of_numbers_is_mapped_and_cannot_be_changed(values: list[int], tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(np.array(values, np.int16).tobytes())
    mapped = map_file(tmp_path / "a", np.int16)
    assert mapped.tolist() == values
    assert mapped.dtype == np.int16
    assert not (values and mapped.flags.writeable)


ROWS = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_an_array_is_mapped_and_cannot_be_written(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ROWS)
    array = map_array(tmp_path / "a.npy", "")
    assert np.array_equal(array, ROWS)
    assert isinstance(array, np.memmap)
    assert not array.flags.writeable


@pytest.mark.filterwarnings("ignore:Reading `.npy`:UserWarning")
@settings(max_examples=300)
@given(
    where=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255), change=st.sampled_from(["cut", "flip", "add"])
)
def test_a_broken_file_is_refused_by_name_or_is_as_long_as_its_header_says(
    where: float, mask: int, change: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("broken") / "a.npy"
    np.save(path, ROWS)
    content = bytearray(path.read_bytes())
    position = int(where * len(content))
    if change == "cut":
        content = content[:position]
    elif change == "flip":
        content[position] ^= mask
    else:
        content.append(mask)
    path.write_bytes(content)
    try:
        array = map_array(path, "fetch it again")
    except IntegrityError as error:
        assert str(error).startswith(f"{path}: ")
        assert str(error).endswith("; fetch it again")
        assert "\n" not in str(error)
    else:
        assert change == "flip"
        assert array.nbytes == ROWS.nbytes

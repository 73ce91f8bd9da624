import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.embed.vector_parts import VECTOR_ROW_GROUP
from retrieval.files.parquet import opened, read_groups
from schemas.errors import IntegrityError, StoreError
from tests.support.stores.made_parts import ROWS
from tests.support.stores.parquet_files import count_at, part_at, range_at


@settings(max_examples=60)
@given(ends=st.tuples(st.integers(0, ROWS), st.integers(0, ROWS)).map(sorted))
def test_a_range_over_any_row_group_borders_is_its_rows(ends: list[int], part: Path) -> None:
    start, stop = ends
    table = range_at(part, start, stop, ["title", "pmid"])
    assert table["pmid"].to_pylist() == list(range(start, stop))
    assert table.column_names == ["title", "pmid"]


def test_truncated_parts_are_refused_by_name_whatever_is_read(part: Path, vector_part: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(part.read_bytes()[:-20])
    for read in (
        lambda: part_at(broken),
        lambda: count_at(broken),
        lambda: range_at(broken, 0, 1, ["pmid"]),
    ):
        with pytest.raises(IntegrityError, match=rf"^{broken}: not whole Parquet \(.*\); remove it and run the job"):
            read()


def test_a_footer_whose_numbers_of_rows_do_not_agree_is_refused_by_name(
    vector_part: Path, whole: bool, tmp_path: Path
) -> None:
    """A bit of the footer is flipped, of all or of those that may be the number: rows are all read, or none."""
    good, broken, refused = vector_part.read_bytes(), tmp_path / "broken.parquet", set()
    begin = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    sizes = [ROWS, VECTOR_ROW_GROUP, ROWS % VECTOR_ROW_GROUP]
    numbers = {2 * size for size in sizes}  # as Thrift writes them
    places = range(8 * begin, 8 * (len(good) - 8))
    for place in places if whole else [place for place in places if good[place // 8] in numbers]:
        flipped = bytearray(good)
        flipped[place // 8] ^= 1 << place % 8
        broken.write_bytes(flipped)
        try:
            with opened(broken) as file:
                rows = len(read_groups(file, range(file.num_row_groups), ["pmid"]))
        except IntegrityError as error:
            refused.add(str(error).partition(";")[0])
        else:
            assert rows == ROWS
    told = re.compile(rf"{broken}: not whole Parquet \((\d+) rows, but (\d+) in its row groups\)")
    found = [tuple(map(int, match.groups())) for match in map(told.fullmatch, refused) if match]
    assert any(rows == ROWS != of_groups for rows, of_groups in found)
    assert any(rows != ROWS == of_groups for rows, of_groups in found)


def test_other_parquet_is_not_taken_for_a_part(part: Path, vector_part: Path) -> None:
    with pytest.raises(IntegrityError, match=rf"^{vector_part}: not an article part of pubray; remove it"):
        part_at(vector_part)
    with pytest.raises(IntegrityError, match=rf"^{part}: not a vector part of pubray; remove it"):
        count_at(part)


def test_a_file_that_lacks_a_column_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    pq.write_table(pa.table({"pmie": [1]}), path)  # as a flipped bit makes it
    with pytest.raises(IntegrityError, match=f"{path}: "):
        range_at(path, 0, 1, ["pmid"])


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=rf"^{tmp_path}/a.parquet: no such file; run the job that writes it$"):
        part_at(tmp_path / "a.parquet")

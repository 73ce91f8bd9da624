import io
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.files import footers
from retrieval.files.footers import footer_of


def file_of(rows: int, group: int = 10) -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.table({"a": list(range(rows))}), written, row_group_size=group)
    return written.getvalue()


class Counted:
    """An object of a bucket: its ranges are counted."""

    def __init__(self, content: bytes, tag: bytes = b"") -> None:
        self.content, self.tag, self.fetched = content, tag, list[int]()

    def metadata(self) -> dict[str, bytes]:
        return {"ETag": self.tag} if self.tag else {}

    def size(self) -> int:
        return len(self.content)

    def read_at(self, size: int, start: int) -> bytes:
        self.fetched.append(size)
        return self.content[start : start + size]


@given(rows=st.integers(0, 300), guess=st.integers(8, 5000))
def test_a_footer_is_that_of_the_file_however_much_of_it_is_guessed(rows: int, guess: int) -> None:
    content = file_of(rows)
    with patch.object(footers, "GUESS", guess):
        found = footer_of(Counted(content), "a")
    assert found is not None
    assert found.equals(pq.read_metadata(io.BytesIO(content)))


def test_no_more_is_fetched_than_a_footer_has() -> None:
    large = Counted(file_of(5000))
    footer_of(large, "a")
    assert len(large.fetched) == 2
    assert footers.GUESS < sum(large.fetched) < len(large.content) * 0.9


def test_a_footer_is_fetched_once_until_its_object_is_another() -> None:
    first, other = Counted(file_of(10), b"1"), Counted(file_of(20), b"2")
    assert [footer.num_rows for footer in [footer_of(first, "b"), footer_of(first, "b")] if footer] == [10, 10]
    assert len(first.fetched) == 1
    found = footer_of(other, "b")
    assert found
    assert found.num_rows == 20


def test_few_footers_are_kept() -> None:
    objects = [Counted(file_of(1), b"1") for _ in range(footers.KEPT + 1)]
    for number, one in enumerate(objects):
        footer_of(one, f"c{number}")
    footer_of(objects[-1], f"c{footers.KEPT}")
    footer_of(objects[0], "c0")
    assert [len(objects[-1].fetched), len(objects[0].fetched)] == [1, 2]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"what is no Parquet", file_of(9)[:-3], b"\xff\xff\xff\x7fPAR1"])
def test_what_has_no_footer_is_left_to_its_reader(content: bytes) -> None:
    assert footer_of(Counted(content), "d") is None

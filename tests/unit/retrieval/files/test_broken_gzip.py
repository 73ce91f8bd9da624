import gzip
from collections.abc import Callable
from io import BytesIO

import pytest
from isal.igzip import IGzipFile

from retrieval.files.broken_gzip import BROKEN_GZIP

PLAIN = bytes(range(256)) * 50
GOOD = gzip.compress(PLAIN)


def read_by_isal(content: bytes) -> bytes:
    with IGzipFile(fileobj=BytesIO(content)) as file:  # type: ignore[no-untyped-call]
        return file.read()


def flipped(position: int) -> bytes:
    return GOOD[:position] + bytes([GOOD[position] ^ 0xFF]) + GOOD[position + 1 :]


@pytest.mark.parametrize(
    "content",
    [GOOD[:5], GOOD[:-9], GOOD[:-1], flipped(0), flipped(2), flipped(10), flipped(-8), flipped(-1), GOOD + b"more"],
    ids=["head", "data", "end", "magic", "method", "first block", "checksum", "length", "tail"],
)
@pytest.mark.parametrize("read", [gzip.decompress, read_by_isal])
def test_reading_what_is_not_whole_raises_one_of_these(read: Callable[[bytes], bytes], content: bytes) -> None:
    assert read(GOOD) == PLAIN
    with pytest.raises(BROKEN_GZIP):
        read(content)

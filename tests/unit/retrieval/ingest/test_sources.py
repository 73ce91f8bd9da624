import gzip
from collections.abc import Callable
from io import BytesIO

import pytest
from isal.igzip import IGzipFile

from retrieval.ingest.sources import (
    BROKEN_GZIP,
    other_content,
    source_kind,
    source_name,
    source_order,
)
from schemas.errors import InputError
from schemas.snapshot import SourceFile
from schemas.store import Stored


@pytest.mark.parametrize(
    ("path", "kind", "name"),
    [
        ("pubmed20n0014.xml.gz", "pubmed", "pubmed20n0014"),
        ("in/pubmed20n0014.xml", "pubmed", "pubmed20n0014"),
        ("in/my.articles.parquet", "parquet", "my.articles"),
        ("nfcorpus/corpus.jsonl", "beir", "corpus"),
        ("corpus.jsonl.gz", "beir", "corpus"),
    ],
)
def test_kind_and_name(path: str, kind: str, name: str) -> None:
    assert (source_kind(path), source_name(path)) == (kind, name)


@pytest.mark.parametrize("path", ["pubmed26n0001.xml.gz.md5", "corpus.json", "in.xml/README", ".parquet", ""])
def test_another_name_is_refused(path: str) -> None:
    with pytest.raises(InputError, match=r"is no source file by its name; give one that ends in \.xml,"):
        source_kind(path)


def test_pubmed_files_come_in_order_of_year_and_number_then_others_by_name() -> None:
    ordered = [
        "z/pubmed25n1685.xml.gz",
        "pubmed26n0002.xml",
        "a/pubmed26n1334.xml.gz",
        "pubmed26n10000",
        "corpus.jsonl",
        "pubmedish.parquet",
    ]
    assert sorted(sorted(ordered), key=source_order) == ordered


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


def test_as_many_bytes_are_not_the_same_content() -> None:
    before = SourceFile(3, 7, "one")

    def other(size: int, modified: int, sha256: str) -> str | None:
        return other_content(Stored("a.jsonl", size, modified), before, lambda: sha256)

    assert other_content(Stored("a.jsonl", 3, 7), before, lambda: str(1 / 0)) is None  # nothing is read
    assert other(3, 0, "one") is None
    assert other(3, 0, "two") == "as many bytes, but other content"
    assert other_content(Stored("a.jsonl", 3, 0), SourceFile(3), lambda: "two") is None  # of an older part
    assert other(5, 7, "one") == "5 bytes and not 3, so other content"

"""What the source reads of an open Parquet file, by the file's path."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from retrieval.articles.article import ArticlePart, article_part
from retrieval.embed.vector_parts import count_vectors, read_vectors
from retrieval.files.parquet import opened, read_range
from schemas.arrays import Mask, Pmids, Rows


def range_at(path: Path, start: int, stop: int, columns: Sequence[str]) -> pa.Table:
    with opened(path) as file:
        return read_range(file, start, stop, columns)


def part_at(path: Path) -> ArticlePart:
    with opened(path) as file:
        return article_part(file)


def vectors_at(path: Path) -> tuple[Pmids, Rows, Mask]:
    with opened(path) as file:
        return read_vectors(file)


def count_at(path: Path) -> int:
    with opened(path) as file:
        return count_vectors(file)

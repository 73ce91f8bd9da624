"""Which rows a worker takes, and what it reads of them."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.embed.vector_parts import row_ranges, write_vector_part
from retrieval.index.worker_rows import VectorSource, Work, group_work, read_worker_rows
from schemas.article import Article
from schemas.errors import StoreError
from schemas.layout import Layout
from schemas.vector import RowRange
from tests.support.stores.store_files import add_part, add_snapshot, config


def work(*vectors: int) -> list[Work]:
    return [
        Work(RowRange(source=str(i), start=0, stop=count, history=""), None, count) for i, count in enumerate(vectors)
    ]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9), st.integers(1, 20), st.integers(1, 4))
def test_groups_are_in_order_and_none_is_larger_than_it_must_be(counts: list[int], rows: int, workers: int) -> None:
    parts = work(*counts)
    groups = group_work(parts, rows, workers)
    assert [part for group in groups for part in group] == parts
    limit = min(rows, -(-sum(counts) // workers))
    assert all(len(group) == 1 or sum(part.vectors for part in group) <= limit for group in groups)
    for group, after in itertools.pairwise(groups):
        assert sum(part.vectors for part in group) + after[0].vectors > limit


DIMENSION = 4
VECTORS = np.arange(24, dtype=np.float16).reshape(6, DIMENSION)


def source(folder: Path, *, without: int | None = None) -> tuple[VectorSource, list[RowRange]]:
    """A store of an article part of 6 rows, the last of them a deletion of the first, and one without an abstract."""
    layout = Layout(str(folder))
    articles = [Article(pmid, title=f"t{pmid}", abstract="" if pmid == 3 else "a") for pmid in range(1, 6)]
    snapshot = add_snapshot(layout, [add_part(layout, "a", *articles, Article(1, deleted=True))])
    ranges = row_ranges(snapshot.info.parts, 4)
    for one in ranges:
        rows = np.arange(one.start, one.stop)
        path = layout.vector_part("f", "abstract", one.name)
        write_vector_part(path, rows + 1, rows.astype(np.uint64), VECTORS[rows], rows + 1 != without)
    return VectorSource(snapshot.id, "f", "abstract", None), ranges


def read(folder: Path, of: VectorSource, parts: list[Work]) -> tuple[list[int], list[list[float]], list[str]]:
    encoder = config(folder).encoder.model_copy(update={"dimension": DIMENSION})
    pmids, rows, records = read_worker_rows(config(folder, encoder=encoder), of, parts)
    assert records["pmid"].to_pylist() == pmids.tolist()
    return pmids.tolist(), rows.tolist(), records["title"].to_pylist()


def test_live_and_selected_articles_are_read_with_their_vectors(tmp_path: Path) -> None:
    of, ranges = source(tmp_path)
    found = read(tmp_path, of, [Work(one, None, one.stop - one.start) for one in ranges])
    assert found == ([2, 4, 5], VECTORS[[1, 3, 4]].tolist(), ["t2", "t4", "t5"])


def test_of_named_rows_the_selected_are_read(tmp_path: Path) -> None:
    of, ranges = source(tmp_path)
    listed = of._replace(pmids=np.array([4, 5]))
    assert read(tmp_path, of, [Work(ranges[1], np.array([4], np.int32), 1)])[0] == [5]
    assert read(tmp_path, listed, [Work(ranges[0], np.array([1, 3], np.int32), 2)])[0] == [4]


def test_an_article_without_a_vector_is_refused(tmp_path: Path) -> None:
    of, ranges = source(tmp_path, without=2)
    with pytest.raises(StoreError, match=f"1 articles of {ranges[0].name} have no vector; remove the vector part"):
        read(tmp_path, of, [Work(ranges[0], None, 4)])

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from retrieval.articles import snapshot_update
from retrieval.articles.article import Article
from retrieval.articles.snapshot import alive_rows, key_groups, read_snapshot
from schemas.errors import IntegrityError
from schemas.snapshot import SNAPSHOT_SCHEMA
from tests.support.stores.article_histories import Store, deletion


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Its snapshots have two rows a row group."""
    monkeypatch.setattr(snapshot_update, "ROW_GROUP", 2)
    return Store(tmp_path)


def test_alive_rows_are_one_bool_per_row_of_a_range(store: Store) -> None:
    files = [[Article(pmid) for pmid in (1, 2, 3, 4, 5)], [Article(2, title="new"), deletion(3), Article(6)]]
    path = store.snapshot(store.add_all(files)).path
    assert alive_rows(path, "part0", 0, 5).tolist() == [True, False, False, True, True]
    assert alive_rows(path, "part0", 2, 4).tolist() == [False, True]
    assert alive_rows(path, "part1", 0, 3).tolist() == [True, False, True]
    assert alive_rows(path, "part1", 1, 1).tolist() == []


def test_the_columns_asked_for_are_read_row_group_by_row_group(store: Store) -> None:
    snapshot = store.snapshot(store.add_all([[Article(pmid) for pmid in (3, 1, 2)], [Article(5)]]))
    groups = [table.to_pydict() for table in key_groups(snapshot, ["row", "pmid"])]
    assert groups == [{"row": [0, 1], "pmid": [3, 1]}, {"row": [2, 0], "pmid": [2, 5]}]
    assert [list(group) for group in groups] == [["row", "pmid"]] * 2
    assert list(key_groups(None, ["pmid"])) == []


def test_other_parquet_is_not_taken_for_a_snapshot(store: Store) -> None:
    store.add("part0", [Article(1)])
    with pytest.raises(IntegrityError, match=rf"^{store.path('part0')}: not a snapshot of this pubray; remove it and"):
        read_snapshot(Path(store.path("part0")))


def test_a_flipped_page_is_refused_when_rows_are_asked_for(store: Store) -> None:
    path = Path(store.snapshot(store.add_all([[Article(pmid) for pmid in range(1000)]])).path)
    column = pq.read_metadata(path).row_group(0).column(SNAPSHOT_SCHEMA.get_field_index("row"))
    content = bytearray(path.read_bytes())
    content[column.data_page_offset + column.total_compressed_size - 1] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=rf"^{path}: not whole Parquet"):
        alive_rows(str(path), "part0", 0, 1000)

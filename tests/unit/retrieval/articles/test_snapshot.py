"""The difference of two snapshots, against plain dictionaries."""

from pathlib import Path
from unittest.mock import Mock

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.store.local_store import LocalStore
from retrieval.articles import pmids, snapshot_update
from retrieval.articles.snapshot import Snapshot, alive_rows, compare_snapshots, key_groups, read_snapshot
from schemas.article import Article
from schemas.errors import IntegrityError
from schemas.layout import Layout
from schemas.snapshot import SNAPSHOT_SCHEMA, Lineage
from tests.support.examples import examples
from tests.support.stores.article_histories import Histories, deletion
from tests.support.stores.store_files import add_part, add_snapshot


@pytest.fixture
def histories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Histories:
    """Its snapshots have two rows a row group."""
    monkeypatch.setattr(snapshot_update, "ROW_GROUP", 2)
    return Histories(tmp_path)


def test_alive_rows_are_one_bool_per_row_of_a_range(histories: Histories) -> None:
    files = [[Article(pmid) for pmid in (1, 2, 3, 4, 5)], [Article(2, title="new"), deletion(3), Article(6)]]
    snapshot = histories.snapshot(histories.add_all(files))
    with histories.store.parquet(snapshot.key) as file:
        assert alive_rows(file, 0, 0, 5).tolist() == [True, False, False, True, True]
        assert alive_rows(file, 0, 2, 4).tolist() == [False, True]
        assert alive_rows(file, 1, 0, 3).tolist() == [True, False, True]
        assert alive_rows(file, 1, 1, 1).tolist() == []


def test_only_the_row_groups_that_may_hold_the_rows_are_read(histories: Histories) -> None:
    files = [[Article(pmid) for pmid in range(10 * part, 10 * part + 9)] for part in range(3)]
    snapshot = histories.snapshot(histories.add_all(files))
    with histories.store.parquet(snapshot.key) as file:
        counted = Mock(wraps=file, num_row_groups=file.num_row_groups, metadata=file.metadata)
        assert alive_rows(counted, snapshot.number("part1"), 4, 6).tolist() == [True, True]
    [[groups], _] = counted.read_row_groups.call_args
    assert groups == [4, 6, 7]  # of 14: one of two parts, those of rows 3 and 4, and of 5 and 6


def test_the_columns_asked_for_are_read_row_group_by_row_group(histories: Histories) -> None:
    snapshot = histories.snapshot(histories.add_all([[Article(pmid) for pmid in (3, 1, 2)], [Article(5)]]))
    groups = [table.to_pydict() for table in key_groups(histories.store, snapshot, ["row", "pmid"])]
    assert groups == [{"row": [0, 1], "pmid": [3, 1]}, {"row": [2, 0], "pmid": [2, 5]}]
    assert [list(group) for group in groups] == [["row", "pmid"]] * 2
    assert list(key_groups(histories.store, None, ["pmid"])) == []


def test_other_parquet_is_not_taken_for_a_snapshot(histories: Histories) -> None:
    histories.add("part0", [Article(1)])
    path = histories.store.path(Layout.snapshot("s"))
    path.parent.mkdir()
    histories.store.path(Layout.article_part("part0")).rename(path)
    with pytest.raises(IntegrityError, match=rf"^{path}: not a snapshot of this pubray; remove it and run pubray"):
        read_snapshot(histories.store, "s")


def test_a_flipped_page_is_refused_when_rows_are_asked_for(histories: Histories) -> None:
    snapshot = histories.snapshot(histories.add_all([[Article(pmid) for pmid in range(1000)]]))
    path = histories.store.path(snapshot.key)
    column = pq.read_metadata(path).row_group(0).column(SNAPSHOT_SCHEMA.get_field_index("row"))
    content = bytearray(path.read_bytes())
    content[column.data_page_offset + column.total_compressed_size - 1] ^= 1
    path.write_bytes(content)
    with (
        pytest.raises(IntegrityError, match=rf"^{path}: not whole Parquet"),
        histories.store.parquet(snapshot.key) as file,
    ):
        alive_rows(file, 0, 0, 1000)


Record = tuple[int, str]
"""A PMID and a title; an empty one deletes."""
Files = list[list[Record]]

records = st.tuples(st.integers(1, 12), st.sampled_from(["a", "b", ""]))
files = st.lists(st.lists(records, min_size=1, max_size=6), min_size=1, max_size=4)


def snapshot(store: LocalStore, files: Files, lineage: int, previous: Snapshot | None = None) -> Snapshot:
    refs = []
    for number, texts in enumerate(files):
        articles = [Article(p, title=t) if t else Article(p, deleted=True) for p, t in texts]
        refs.append(add_part(store, f"{lineage}n{number}", *articles))
    return add_snapshot(store, refs, previous, Lineage(number=lineage))


def alive(files: Files) -> dict[int, str]:
    found: dict[int, str] = {}
    for pmid, title in (record for file in files for record in file):
        if title:
            found[pmid] = title
        else:
            found.pop(pmid, None)
    return found


@examples(5, whole=80)
@given(files, files, st.booleans(), st.integers(1, 20))
def test_rows_and_outdated_lead_from_one_to_the_other(
    tmp_path_factory: pytest.TempPathFactory, before: Files, after: Files, same_lineage: bool, class_rows: int
) -> None:
    store = LocalStore(str(tmp_path_factory.mktemp("store")))
    old = snapshot(store, before, 0)
    after = before + after if same_lineage else after
    new = snapshot(store, after, 0 if same_lineage else 1, old if same_lineage else None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pmids, "CLASS_ROWS", class_rows)
        found = compare_snapshots(store, old, new)
    was, is_ = alive(before), alive(after)
    rows = [after[part][row] for part, row in zip(found.parts, found.rows, strict=True)]
    assert sorted(rows) == sorted((p, t) for p, t in is_.items() if was.get(p) != t)
    assert found.outdated.tolist() == sorted(p for p, t in was.items() if is_.get(p) != t)
    assert list(zip(found.parts, found.rows, strict=True)) == sorted(zip(found.parts, found.rows, strict=True))
    ranges = [(part, start, start + 2) for part, records in enumerate(after) for start in range(0, len(records), 2)]
    assert [row for part, start, stop in ranges for row in found.within(part, start, stop)] == found.rows.tolist()


def test_a_snapshot_does_not_differ_from_itself(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    one = snapshot(store, [[(1, "a"), (2, "b")]], 0)
    assert [len(column) for column in compare_snapshots(store, one, one)] == [0, 0, 0]

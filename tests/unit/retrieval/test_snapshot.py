from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.snapshot import (
    alive_rows,
    build_snapshot,
    part_names,
    snapshot_counts,
    snapshot_id,
    write_snapshot,
)
from schemas.snapshot import SNAPSHOT_SCHEMA, SnapshotCounts


class Row(NamedTuple):
    pmid: int
    version: int = 1
    deleted: bool = False


def deletion(pmid: int) -> Row:
    return Row(pmid, deleted=True)


def hash_of(part: int, row: int) -> int:
    return 2**64 - 1 - 1000 * part - row


def snapshot_of(files: list[list[Row]]) -> pa.Table:
    return build_snapshot((f"file{part}", _table(part, rows)) for part, rows in enumerate(files))


def _table(part: int, rows: list[Row]) -> pa.Table:
    columns = {
        "pmid": pa.array([row.pmid for row in rows], pa.int64()),
        "version": pa.array([row.version for row in rows], pa.int32()),
        "deleted": pa.array([row.deleted for row in rows], pa.bool_()),
        "text_hash": pa.array([hash_of(part, row) for row in range(len(rows))], pa.uint64()),
        "record_hash": pa.array([hash_of(part, row) - 7 for row in range(len(rows))], pa.uint64()),
    }
    return pa.table(columns)


def alive(files: list[list[Row]]) -> dict[int, tuple[int, int]]:
    return {row["pmid"]: (row["part"], row["row"]) for row in snapshot_of(files).to_pylist()}


def model(files: list[list[Row]]) -> tuple[dict[int, tuple[int, int]], SnapshotCounts]:
    state: dict[int, tuple[int, int]] = {}
    records = superseded = deleted = unknown = 0
    for part, rows in enumerate(files):
        for number, row in enumerate(rows):
            before = state.get(row.pmid)
            records += not row.deleted
            superseded += not row.deleted and before is not None
            if row.deleted:
                deleted, unknown = deleted + (before is not None), unknown + (before is None)
                state.pop(row.pmid, None)
            elif before is None or before[0] < part or rows[before[1]].version <= row.version:
                state[row.pmid] = (part, number)
    return state, SnapshotCounts(records, len(state), superseded, deleted, unknown)


rows_strategy = st.builds(Row, st.integers(0, 4), st.integers(1, 3), st.sampled_from([False, False, True]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(rows_strategy, max_size=8), max_size=4))
def test_any_history_ends_as_replaying_it_row_by_row(files: list[list[Row]]) -> None:
    snapshot = snapshot_of(files)
    state, counts = model(files)
    expected = [
        {
            "pmid": pmid,
            "part": part,
            "row": row,
            "text_hash": hash_of(part, row),
            "record_hash": hash_of(part, row) - 7,
        }
        for pmid, (part, row) in sorted(state.items(), key=lambda item: item[1])
    ]
    assert snapshot.to_pylist() == expected
    assert snapshot_counts(snapshot) == counts
    assert counts.records == counts.alive + counts.superseded + counts.deleted


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([[Row(1), Row(1)]], {1: (0, 1)}),
        ([[Row(1, 2), Row(1, 1)]], {1: (0, 0)}),
        ([[Row(1, 2)], [Row(1, 1)]], {1: (1, 0)}),
        ([[Row(1), deletion(1)]], {}),
        ([[Row(1)], [deletion(1)]], {}),
        ([[Row(1, 2), deletion(1), Row(1, 1)]], {1: (0, 2)}),
        ([[deletion(1), Row(1)]], {1: (0, 1)}),
        ([[Row(1)], [deletion(1)], [Row(1)]], {1: (2, 0)}),
        ([[deletion(5)], [Row(1)]], {1: (1, 0)}),
        ([], {}),
        ([[]], {}),
    ],
    ids=[
        "the last row wins",
        "within a file the highest version wins",
        "across files the later file wins",
        "deleted in the same file",
        "deleted by a later file",
        "versions before a deletion do not count",
        "a deletion does not reach rows after it",
        "brought back by a later file",
        "a deletion of an unknown PMID",
        "no file",
        "an empty file",
    ],
)
def test_rules(files: list[list[Row]], expected: dict[int, tuple[int, int]]) -> None:
    assert alive(files) == expected


def test_a_snapshot_names_its_parts_and_has_its_schema() -> None:
    snapshot = snapshot_of([[Row(1)], [Row(2)]])
    assert part_names(snapshot.schema) == ["file0", "file1"]
    assert snapshot.schema.equals(SNAPSHOT_SCHEMA)


def test_alive_rows_are_one_bool_per_row_of_a_range(tmp_path: Path) -> None:
    path = str(tmp_path / "snapshot.parquet")
    write_snapshot(path, snapshot_of([[Row(1), Row(2), Row(3)], [Row(2), deletion(3)]]))
    assert alive_rows(path, "file0", 0, 3).tolist() == [True, False, False]
    assert alive_rows(path, "file0", 1, 3).tolist() == [False, False]
    assert alive_rows(path, "file1", 0, 2).tolist() == [True, False]


def test_snapshot_id_depends_on_names_digests_and_their_order() -> None:
    one, two = ("a", "11"), ("b", "22")
    ids = {snapshot_id(parts) for parts in ([], [one], [one, two], [two, one], [("a", "1"), ("1b", "22")])}
    assert len(ids) == 5
    assert snapshot_id([one, two]) == "0bd3ab4f27969641"

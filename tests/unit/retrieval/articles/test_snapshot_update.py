import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.articles import pmids, snapshot_update
from retrieval.articles.snapshot import Snapshot, read_snapshot
from retrieval.articles.snapshot_update import SnapshotPlan, write_snapshot
from schemas.article import Article
from schemas.errors import IntegrityError, StoreError
from schemas.layout import Layout
from schemas.snapshot import SNAPSHOT_SCHEMA, Lineage, PartRef, SnapshotCounts
from tests.support.examples import examples
from tests.support.stores.article_histories import (
    FILES,
    RECORDS,
    File,
    Histories,
    State,
    compared,
    deletion,
    pmids_of,
    replayed,
    unusable,
)

NEXT_YEAR = Lineage(number=1, baseline=("next0",))


@pytest.fixture
def histories(tmp_path: Path) -> Histories:
    return Histories(tmp_path)


@contextmanager
def small() -> Iterator[None]:
    """Several classes and row groups in a snapshot of a few rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pmids, "CLASS_ROWS", 3)
        patch.setattr(snapshot_update, "ROW_GROUP", 2)
        patch.setattr(snapshot_update, "_SIEVE", 4)
        yield


def rows_of(histories: Histories, snapshot: Snapshot) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(histories.store.path(snapshot.key)).to_pylist()
    return found


def places(histories: Histories, snapshot: Snapshot) -> dict[int, tuple[int, int]]:
    return {row["pmid"]: (row["part"], row["row"]) for row in rows_of(histories, snapshot)}


def places_of(state: State) -> list[tuple[int, int, int]]:
    """In the order of a snapshot's rows."""
    return sorted(((pmid, place.part, place.row) for pmid, place in state.items()), key=lambda item: item[1:])


def listed(histories: Histories, snapshot: Snapshot) -> list[tuple[int, int, int]]:
    return [(row["pmid"], row["part"], row["row"]) for row in rows_of(histories, snapshot)]


def balanced(counts: SnapshotCounts, before: int) -> bool:
    """What the schema says of the counts."""
    same = counts.revised_text + counts.revised_metadata + counts.reissued + counts.unchanged
    return counts.alive == counts.added + same and before == counts.alive - counts.added + counts.deleted


@examples(9, whole=40)
@given(records=st.lists(RECORDS, max_size=16), cuts=st.lists(st.integers(0, 16), max_size=4).map(sorted))
@small()
def test_records_in_files_of_any_size_give_the_snapshot_of_one_replay(
    records: list[Article], cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = [records[a:b] for a, b in pairwise([0, *cuts, len(records)])]
    histories = Histories(tmp_path_factory.mktemp("split"))
    snapshot = histories.snapshot(histories.add_all(files))
    starts = [0, *accumulate(len(file) for file in files)]
    expected, unknown = replayed({}, [records])
    assert [(p, starts[part] + row) for p, part, row in listed(histories, snapshot)] == [
        (p, row) for p, _, row in places_of(expected)
    ]
    assert snapshot.info.counts == compared({}, expected, set(), unknown)
    assert pq.read_schema(histories.store.path(snapshot.key)).remove_metadata().equals(SNAPSHOT_SCHEMA)


@examples(6, whole=40)
@given(files=FILES, ends=st.lists(st.integers(0, 5), max_size=3).map(sorted))
@small()
def test_night_by_night_ends_as_all_at_once(
    files: list[File], ends: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    histories = Histories(tmp_path_factory.mktemp("nights"))
    parts = histories.add_all(files)
    at_once = histories.snapshot(parts)
    snapshot, state, done = None, State(), 0
    for end in [*ends, len(files)]:
        night = files[done:end]
        snapshot = histories.snapshot(parts[: max(end, done)], snapshot)
        before, (state, unknown) = state, replayed(state, night, done)
        assert snapshot.info.counts == compared(before, state, pmids_of(night), unknown)
        assert balanced(snapshot.info.counts, len(before))
        assert listed(histories, snapshot) == places_of(state)
        done = max(end, done)
    assert snapshot is not None
    assert rows_of(histories, snapshot) == rows_of(histories, at_once)
    assert snapshot.info.parts == parts


@examples(6, whole=30)
@given(old=FILES, new=FILES)
@small()
def test_a_new_baseline_is_compared_with_what_was_alive(
    old: list[File], new: list[File], tmp_path_factory: pytest.TempPathFactory
) -> None:
    histories = Histories(tmp_path_factory.mktemp("baseline"))
    previous = histories.snapshot(histories.add_all(old))
    snapshot = histories.snapshot(histories.add_all(new, "next"), previous, NEXT_YEAR)
    before, (after, unknown) = replayed({}, old)[0], replayed({}, new)
    assert listed(histories, snapshot) == places_of(after)
    assert snapshot.info.counts == compared(before, after, {*before}, unknown)
    assert balanced(snapshot.info.counts, len(before))


@examples(6, whole=30)
@given(files=FILES.filter(bool), late=st.integers(0, 4))
@small()
def test_a_file_that_comes_late_is_read_in_its_place(
    files: list[File], late: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    late %= len(files)
    histories = Histories(tmp_path_factory.mktemp("late"))
    parts = histories.add_all(files)
    previous = histories.snapshot([*parts[:late], *parts[late + 1 :]])
    snapshot = histories.snapshot(parts, previous)
    before = replayed({}, [*files[:late], *files[late + 1 :]])[0]
    after, unknown = replayed({}, files)
    in_order = late == len(files) - 1
    if in_order:
        unknown = replayed(before, files[late:], late)[1]
    assert listed(histories, snapshot) == places_of(after)
    assert snapshot.info.counts == compared(before, after, pmids_of(files[late:]) if in_order else set(), unknown)


def test_what_is_issued_again_stays_where_it_was_embedded(histories: Histories) -> None:
    parts = histories.add_all(
        [[Article(1, title="a"), Article(2)], [Article(1, title="a", date_revised="2026"), Article(3)]]
    )
    first = histories.snapshot(parts[:1])
    assert places(histories, histories.snapshot(parts, first)) == {1: (0, 0), 2: (0, 1), 3: (1, 1)}


def test_each_kind_of_change_is_counted(histories: Histories) -> None:
    old = [Article(pmid, title="t", journal="j") for pmid in range(1, 8)]
    night = [
        Article(1, title="new", journal="j"),
        Article(2, title="t", journal="new"),
        Article(3, title="t", journal="j", date_revised="2026"),
        deletion(4),
        unusable(5),
        deletion(90),
        Article(91, title="t"),
    ]
    parts = histories.add_all([old, night])
    counts = histories.snapshot(parts, histories.snapshot(parts[:1])).info.counts
    assert counts == SnapshotCounts(
        alive=6, added=1, revised_text=1, revised_metadata=1, reissued=1, deleted=2, unchanged=2, unknown_deletions=1
    )


def test_a_snapshot_says_what_it_was_made_from(histories: Histories) -> None:
    parts = histories.add_all([[Article(1)], [Article(2)]])
    first = histories.snapshot(parts[:1])
    second = histories.snapshot(parts, first)
    assert (first.info.previous, second.info.previous) == (None, first.id)
    assert (second.info.lineage, second.info.parts) == (Lineage(number=0), parts)
    assert read_snapshot(histories.store, second.id) == second


def test_without_articles_there_is_a_snapshot_too(histories: Histories) -> None:
    empty = histories.snapshot([])
    assert rows_of(histories, empty) == []
    [part] = histories.add_all([[]])
    again = histories.snapshot([part], empty)
    assert rows_of(histories, again) == []
    assert again.info.counts.alive == 0


def test_only_what_is_new_is_read(histories: Histories) -> None:
    parts = histories.add_all([[Article(1)], [Article(1, title="new")]])
    first = histories.snapshot(parts[:1])
    histories.store.remove(Layout.article_part("part0"))
    assert places(histories, histories.snapshot(parts, first)) == {1: (1, 0)}


def test_memory_is_bounded_by_the_class_not_by_the_articles(
    histories: Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_update, "_SIEVE", 1024)
    parts = histories.add_all([[Article(pmid) for pmid in range(i, 5_000, 10)] for i in range(10)])
    old = histories.snapshot(parts)
    peaks = {}
    for rows in (250, 1_000_000):
        monkeypatch.setattr(pmids, "CLASS_ROWS", rows)
        tracemalloc.start()
        histories.snapshot(parts)
        histories.snapshot(parts[:1], old, NEXT_YEAR)
        peaks[rows] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[250] < peaks[1_000_000] / 4


def test_the_id_depends_on_baseline_names_digests_and_their_order() -> None:
    one, two = PartRef("a", "11", 1, 0), PartRef("b", "22", 1, 0)
    orders: list[Sequence[PartRef]] = [[], [one], [one, two], [two, one], [one._replace(digest="12")]]
    plans = [SnapshotPlan(Lineage(number=0), tuple(parts), None) for parts in orders]
    plans.append(SnapshotPlan(Lineage(number=0, baseline=("a",)), (one,), None))
    plans.append(SnapshotPlan(Lineage(number=0), (one,), None, mesh_tree="a tree"))
    assert len({plan.id for plan in plans}) == 7
    assert plans[2].id == "2d81fae3b244b5a4"


def test_what_is_not_accepted_leaves_no_file(histories: Histories) -> None:
    parts = histories.add_all([[Article(1)]])
    before = list(histories.store.entries(""))

    def refuse(counts: SnapshotCounts) -> None:
        assert counts.alive == 1
        raise StoreError("too many")

    with pytest.raises(StoreError, match="too many"):
        write_snapshot(histories.store, SnapshotPlan(Lineage(number=0), parts, None), refuse)
    assert list(histories.store.entries("")) == before


class Night(NamedTuple):
    """A snapshot of one part, and a part more; a test that breaks a file puts it right again."""

    histories: Histories
    parts: tuple[PartRef, ...]
    snapshot: str


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    histories = Histories(tmp_path_factory.mktemp("night"))
    files = [[Article(pmid, title="t") for pmid in range(50)], [Article(pmid) for pmid in range(40, 60)]]
    parts = histories.add_all(files)
    return Night(histories, parts, histories.snapshot(parts[:1]).id)


@examples(60, whole=100)
@given(where=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255), cut=st.booleans(), of_snapshot=st.booleans())
def test_a_broken_file_is_refused_by_name_or_reads_the_same(
    where: float, mask: int, cut: bool, of_snapshot: bool, night: Night
) -> None:
    histories, parts, snapshot = night
    path = histories.store.path(Layout.snapshot(snapshot) if of_snapshot else Layout.article_part("part1"))
    good = path.read_bytes()
    position = int(where * len(good))
    path.write_bytes(
        good[:position] if cut else bytes([*good[:position], good[position] ^ mask, *good[position + 1 :]])
    )
    before = {one.key for one in histories.store.entries("")}
    try:
        made = histories.snapshot(parts, read_snapshot(histories.store, snapshot))
    except IntegrityError as error:
        assert str(error).startswith(f"{path}: ")
        assert "\n" not in str(error)
        assert {one.key for one in histories.store.entries("")} == before
    else:
        assert not cut
        assert places(histories, made) == {pmid: (0, pmid) if pmid < 40 else (1, pmid - 40) for pmid in range(60)}
        histories.store.remove(made.key)
    finally:
        path.write_bytes(good)

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.articles.alive_records import KEY_FIELDS, ROWS, STATE, Records, changes, empty_state, replay
from retrieval.articles.article import article_batch
from schemas.article import Article
from tests.support.examples import examples
from tests.support.stores.article_histories import FILES, File, State, compared, deletion, pmids_of, replayed, unusable


def rows_of(files: Sequence[File], first: int = 0) -> Records:
    """The rows of files as `replay` takes them."""
    pieces = [np.empty(0, ROWS)]
    for part, file in enumerate(files, first):
        table = pa.Table.from_batches([article_batch(file)])
        rows = np.zeros(len(file), ROWS)
        rows["part"], rows["row"] = part, np.arange(len(file))
        for name in ("pmid", "version", "text_hash", "record_hash", "deleted", "unusable"):
            rows[name] = table[name].to_numpy()
        pieces.append(rows)
    return np.concatenate(pieces)


def state_of(pmids: set[int]) -> Records:
    return empty_state(np.array(sorted(pmids), np.int64))


def places(state: Records) -> dict[int, tuple[int, int]]:
    alive = state[state["alive"]]
    return {
        int(pmid): (int(part), int(row))
        for pmid, part, row in zip(*(alive[n] for n in ("pmid", "part", "row")), strict=True)
    }


def places_of(state: State) -> dict[int, tuple[int, int]]:
    return {pmid: (place.part, place.row) for pmid, place in state.items()}


def alive(*files: File) -> dict[int, tuple[int, int]]:
    state = state_of(pmids_of(files))
    replay(state, rows_of(files))
    return places(state)


@examples(80, whole=200)
@given(FILES)
def test_any_history_at_once_ends_as_record_by_record(files: list[File]) -> None:
    state = state_of(pmids_of(files) | {4})  # one PMID of which nothing is said
    unknown = replay(state, rows_of(files))
    expected, expected_unknown = replayed({}, files)
    assert places(state) == places_of(expected)
    assert unknown == expected_unknown


@examples(45, whole=100)
@given(FILES, st.integers(0, 5))
def test_a_replay_in_two_pieces_is_one_replay(files: list[File], cut: int) -> None:
    once, twice = state_of(pmids_of(files)), state_of(pmids_of(files))
    together = replay(once, rows_of(files))
    apart = replay(twice, rows_of(files[:cut])) + replay(twice, rows_of(files[cut:], cut))
    assert places(once) == places(twice)
    assert together == apart


@examples(35, whole=100)
@given(FILES, FILES)
def test_changes_are_those_of_comparing_article_by_article(old: list[File], new: list[File]) -> None:
    pmids = pmids_of([*old, *new])
    before, after = state_of(pmids), state_of(pmids)
    replay(before, rows_of(old))
    replay(after, rows_of(new))
    expected = compared(replayed({}, old)[0], replayed({}, new)[0], pmids, 0).model_dump()
    found = {kind: int(these.sum()) for kind, these in changes(before, after).items()}
    assert found == {kind: expected[kind] for kind in found}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([[Article(1, title="a"), Article(1, title="b")]], {1: (0, 1)}),
        ([[Article(1, title="a")], [Article(1, title="b")]], {1: (1, 0)}),
        ([[Article(1, title="a"), Article(2)], [Article(1, title="b", version=2)]], {1: (1, 0), 2: (0, 1)}),
        ([[Article(1, title="a", version=2)], [Article(1, title="b")]], {1: (0, 0)}),
        ([[Article(1, title="a", version=2)], [Article(1, title="b", version=2)]], {1: (1, 0)}),
        ([[Article(1, title="a")], [Article(1, title="a", date_revised="2026")]], {1: (0, 0)}),
        ([[Article(1, title="a")], [Article(1, title="b")], [Article(1, title="a")]], {1: (2, 0)}),
        ([[Article(1), deletion(1)]], {}),
        ([[Article(1, version=3)], [deletion(1)]], {}),
        ([[Article(1, version=2), deletion(1), Article(1)]], {1: (0, 2)}),
        ([[deletion(1), Article(1)]], {1: (0, 1)}),
        ([[Article(1)], [deletion(1)], [Article(1)]], {1: (2, 0)}),
        ([[Article(1)], [unusable(1)]], {}),
        ([[Article(1, version=2)], [unusable(1)]], {1: (0, 0)}),
        ([[unusable(1)], [Article(1)]], {1: (1, 0)}),
        ([[Article(1)], [deletion(5)]], {1: (0, 0)}),
    ],
    ids=[
        "the last record of a file wins",
        "the last file wins",
        "a record of another PMID stays",
        "an older version does not replace a newer one",
        "the same version does",
        "a record that says the same is not moved",
        "what comes back to what it said is a new record",
        "deleted in its own file",
        "deleted whatever its version",
        "versions before a deletion do not count",
        "a deletion does not reach records after it",
        "brought back by a later file",
        "a record that cannot be used takes the place of one that can",
        "but not if it is of an older version",
        "and is itself replaced",
        "a deletion of an unknown PMID",
    ],
)
def test_rules(files: list[File], expected: dict[int, tuple[int, int]]) -> None:
    assert alive(*files) == expected


def test_every_deletion_that_finds_nothing_is_counted() -> None:
    files = [[deletion(1), Article(1), deletion(1), deletion(1), deletion(2), unusable(3), deletion(3)]]
    assert replay(state_of({1, 2, 3}), rows_of(files)) == 4


def test_nothing_to_replay_changes_nothing() -> None:
    state = state_of({1, 2})
    assert replay(state, np.empty(0, ROWS)) == 0
    assert not state["alive"].any()
    assert replay(state_of(set()), np.empty(0, ROWS)) == 0


def test_a_record_is_taken_over_whole() -> None:
    state, rows = state_of({7}), rows_of([[], [Article(1), Article(7, version=3, title="t", journal="j")]])
    replay(state, rows[1:])
    assert [state[name][0] for name, _ in KEY_FIELDS] == [rows[name][1] for name, _ in KEY_FIELDS]
    assert set(STATE.names or ()) == {name for name, _ in KEY_FIELDS} | {"alive"}

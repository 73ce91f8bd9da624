from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.articles import (
    BATCH_ROWS,
    HASHED_KEY_BIT,
    Article,
    MeshHeading,
    Qualifier,
    Rejects,
    article_batch,
    article_batches,
    article_with_id,
    key_of,
    record_hash,
    text_hash,
)
from schemas.article import ARTICLE_SCHEMA

FULL = Article(
    pmid=7,
    title="A title",
    abstract="BACKGROUND: one\nRESULTS: two",
    journal="J",
    publication_date="2021-06",
    year=2021,
    publication_types=["Journal Article"],
    mesh=[MeshHeading("Cocaine", False, [Qualifier("metabolism", True)])],
    languages=["eng"],
    doi="10.1/x",
)


def test_hashes_are_golden_so_that_a_stored_article_part_never_looks_revised() -> None:
    assert text_hash("A title", "BACKGROUND: one") == 17246680615152874171
    assert record_hash(FULL) == 13052657268476082606


def test_text_hash_keeps_title_and_abstract_apart() -> None:
    assert len({text_hash("ab", "c"), text_hash("a", "bc"), text_hash("", "abc"), text_hash("abc", "")}) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"pmid": 8},
        {"doc_id": "7"},
        {"version": 2},
        {"title": "B title"},
        {"abstract": ""},
        {"journal": ""},
        {"publication_date": None},
        {"year": None},
        {"publication_types": ["Retracted Publication"]},
        {"mesh": [MeshHeading("Cocaine", True, [Qualifier("metabolism", True)])]},
        {"languages": []},
        {"doi": ""},
        {"doi": None},
    ],
    ids=str,
)
def test_record_hash_covers_every_field(change: dict[str, Any]) -> None:
    assert record_hash(FULL._replace(**change)) != record_hash(FULL)


def test_record_hash_keeps_none_and_empty_apart() -> None:
    assert record_hash(FULL._replace(doi=None)) != record_hash(FULL._replace(doi=""))


@pytest.mark.parametrize("doc_id", ["0", "1", "34097368", str(2**62 - 1)])
def test_a_canonical_decimal_is_its_own_key(doc_id: str) -> None:
    assert key_of(doc_id) == int(doc_id)


@pytest.mark.parametrize("doc_id", ["", "007", "-1", "+1", " 1", "1.0", "१", "MED-10", str(2**62), "9" * 30])
def test_any_other_id_gets_a_key_that_is_no_number(doc_id: str) -> None:
    assert HASHED_KEY_BIT <= key_of(doc_id) < 2**63


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=4), unique=True))
def test_different_ids_have_different_keys(doc_ids: list[str]) -> None:
    assert len({key_of(doc_id) for doc_id in doc_ids}) == len(doc_ids)


def test_an_id_is_kept_only_where_the_key_does_not_say_it() -> None:
    assert article_with_id("12", "t", "").doc_id is None
    assert article_with_id("012", "t", "").doc_id == "012"


def test_a_batch_holds_every_field() -> None:
    (row,) = article_batch([FULL]).to_pylist()
    assert row["mesh"] == [
        {"descriptor": "Cocaine", "major": False, "qualifiers": [{"name": "metabolism", "major": True}]}
    ]
    assert (row["text_hash"], row["record_hash"]) == (text_hash(FULL.title, FULL.abstract), record_hash(FULL))
    plain = {name: value for name, value in row.items() if name not in ("mesh", "text_hash", "record_hash")}
    assert plain == {name: value for name, value in FULL._asdict().items() if name != "mesh"}


def test_a_deletion_is_an_empty_row() -> None:
    (row,) = article_batch([Article(9, deleted=True)]).to_pylist()
    kept = {name: value for name, value in row.items() if value not in (None, "", [], 0)}
    assert kept == {"pmid": 9, "version": 1, "deleted": True}


def test_batches_are_bounded_and_lose_nothing() -> None:
    batches = list(article_batches(Article(number, title="t") for number in range(BATCH_ROWS + 1)))
    assert [batch.num_rows for batch in batches] == [BATCH_ROWS, 1]
    assert batches[1]["pmid"].to_pylist() == [BATCH_ROWS]
    assert all(batch.schema == ARTICLE_SCHEMA for batch in batches)


def test_rejects_count_all_and_name_a_few() -> None:
    rejects = Rejects()
    for number in range(8):
        rejects.add("no PMID", f"record {number}")
    assert rejects == Rejects({"no PMID": 8}, {"no PMID": [f"record {number}" for number in range(5)]})


def test_rejects_add() -> None:
    one, two = Rejects(), Rejects()
    one.add("a", "1")
    two.add("a", "2")
    two.add("b", "3")
    assert one + two == Rejects({"a": 2, "b": 1}, {"a": ["1", "2"], "b": ["3"]})
    assert one == Rejects({"a": 1}, {"a": ["1"]})

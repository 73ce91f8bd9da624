"""Which articles are taken, where the changed ones are found, and which versions the nights made."""

import asyncio
from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from jobs.steps.demo.demo_data import (
    CHANGED,
    CHOSEN_COUNT,
    DELETED,
    NIGHTS,
    Search,
    _found,
    ancestors,
    choose,
    shipped,
    show,
    write_pmids,
)
from retrieval.articles.pmids import parse_pmids
from retrieval.files.checked import write_bytes
from schemas.article import Article
from schemas.layout import Layout
from tests.support.service.seams import VERSION, Shelf, joined
from tests.support.stores.store_files import add_part

BASELINE = range(1, 30)
"""PMIDs of a small baseline, none of them shipped."""


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(str(tmp_path))
    add_part(store, "pubmed20n0014", *(Article(pmid, abstract="text" if pmid % 2 else "") for pmid in BASELINE))
    return store


def test_fewer_are_of_the_shipped_list_the_same_each_time_and_grow(tmp_path: Path) -> None:
    nothing_ingested = LocalStore(str(tmp_path))
    few, more = choose(nothing_ingested, 50), choose(nothing_ingested, 100)
    assert len(few) == 50
    assert {*CHANGED} < set(few) < set(more) < set(shipped().tolist())
    assert choose(nothing_ingested, 50) == few


def test_as_many_as_are_shipped_are_those(store: LocalStore) -> None:
    assert choose(store, CHOSEN_COUNT) == shipped().tolist()


def test_more_are_the_shipped_list_and_others_of_the_baseline_with_an_abstract(store: LocalStore) -> None:
    more = set(choose(store, CHOSEN_COUNT + 10))
    others = more - set(shipped().tolist())
    assert len(more) == CHOSEN_COUNT + 10
    assert len(others) == 10
    assert others < {pmid for pmid in BASELINE if pmid % 2}


def test_a_list_that_is_written_is_one_to_select_by(tmp_path: Path) -> None:
    file = tmp_path / "pmids.txt"
    write_pmids(file, [3, 5])
    assert parse_pmids(file.read_text(), "").tolist() == [3, 5]


def test_an_article_is_found_by_its_rank_or_not_at_all() -> None:
    service = joined(Shelf([3, DELETED, 2]), None)
    assert asyncio.run(_found(service, Search("deleted", DELETED, "some title"))) == f"rank 2: Title {DELETED}"
    assert asyncio.run(_found(service, Search("deleted", 4, "some title"))) == "not found"


def test_versions_that_build_on_one_another_are_the_oldest_first(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    other = VERSION.model_copy(update={"id": "other", "recipe": "another"})
    first, second, third = (
        VERSION.model_copy(update={"id": name, "parent": parent})
        for name, parent in (("a", "other"), ("b", "a"), ("c", "b"))
    )
    for version in (other, first, second, third):
        write_bytes(store, Layout.version(version.id), version.model_dump_json().encode())
    assert ancestors(store, third) == [first, second, third]
    assert ancestors(store, other) == [other]


def test_there_is_a_column_for_each_night() -> None:
    shown = show([["deleted", "7", "rank 1: x", "rank 1: x", "not found"]])
    assert all(night in shown.splitlines()[0] for night in NIGHTS)

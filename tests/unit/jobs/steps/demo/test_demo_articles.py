"""Which articles are taken, of the shipped list and of a small baseline."""

from pathlib import Path

import pytest

from jobs.steps.demo import demo_nights
from jobs.steps.demo.demo_articles import CHOSEN_COUNT, choose, shipped, write_pmids
from retrieval.articles.pmids import parse_pmids
from schemas.article import Article
from schemas.layout import Layout
from tests.support.stores.store_files import add_part

BASELINE = range(1, 30)
"""PMIDs of a small baseline, none of them shipped."""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(str(tmp_path))
    add_part(layout, "pubmed20n0014", *(Article(pmid, abstract="text" if pmid % 2 else "") for pmid in BASELINE))
    return layout


def test_fewer_are_of_the_shipped_list_the_same_each_time_and_grow(tmp_path: Path) -> None:
    nothing_ingested = Layout(str(tmp_path))
    few, more = choose(nothing_ingested, 50), choose(nothing_ingested, 100)
    assert len(few) == 50
    assert {*demo_nights.CHANGED} < set(few) < set(more) < set(shipped().tolist())
    assert choose(nothing_ingested, 50) == few


def test_as_many_as_are_shipped_are_those(layout: Layout) -> None:
    assert choose(layout, CHOSEN_COUNT) == shipped().tolist()


def test_more_are_the_shipped_list_and_others_of_the_baseline_with_an_abstract(layout: Layout) -> None:
    more = set(choose(layout, CHOSEN_COUNT + 10))
    others = more - set(shipped().tolist())
    assert len(more) == CHOSEN_COUNT + 10
    assert len(others) == 10
    assert others < {pmid for pmid in BASELINE if pmid % 2}


def test_a_list_that_is_written_is_one_to_select_by(tmp_path: Path) -> None:
    file = tmp_path / "pmids.txt"
    write_pmids(file, [3, 5])
    assert parse_pmids(file.read_text(), "").tolist() == [3, 5]

"""Which judgments an evaluation goes by, what is asked, and what is told."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from actors.search.index_searcher import IndexSearcher
from actors.store.local_store import LocalStore
from jobs import evaluate
from retrieval.evaluate.judgments import Judgments
from schemas.errors import InputError, UsageError
from schemas.filters import EVERYTHING
from schemas.quality_report import EvaluateReport, PairedDifference
from schemas.search import SearchRequest
from tests.support.service.seams import Shelf, joined
from tests.support.stores.hand_made_version import write_version
from tests.support.stores.store_files import config


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> IndexSearcher:
    """An index whose articles have no MeSH headings."""
    store = LocalStore(str(tmp_path_factory.mktemp("store")))
    return IndexSearcher(store, write_version(store))


def named(searcher: IndexSearcher, **given: Any) -> Judgments:
    options: dict[str, Any] = {"beir": None, "queries": None, "qrels": None, "topics": None}
    return evaluate._judgments(searcher, **options | given)


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    (tmp_path / "qrels").mkdir()
    lines = '{"_id": "q1", "text": "one"}\n{"_id": "q2", "text": "é"}\n{"_id": "q3", "text": "unjudged"}\n'
    (tmp_path / "queries.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\t1\t1\nq2\t2\t2\n")
    return tmp_path


def test_a_beir_folder_gives_its_judged_queries(beir: Path, searcher: IndexSearcher) -> None:
    judgments = named(searcher, beir=str(beir))
    assert judgments == Judgments({"q1": "one", "q2": "é"}, {"q1": {"1": 1}, "q2": {"2": 2}}, None)


def test_two_files_give_what_their_folder_gives(beir: Path, searcher: IndexSearcher) -> None:
    files = {"queries": str(beir / "queries.jsonl"), "qrels": str(beir / "qrels" / "test.tsv")}
    assert named(searcher, **files) == named(searcher, beir=str(beir))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"queries": "q"},
        {"qrels": "q"},
        {"beir": "b", "topics": 5},
        {"beir": "b", "queries": "q", "qrels": "q"},
        {"queries": "q", "qrels": "q", "topics": 0},
    ],
    ids=str,
)
def test_one_source_of_judgments_must_be_named(given: dict[str, Any], searcher: IndexSearcher) -> None:
    with pytest.raises(UsageError, match="name the judgments: --beir DIR, or"):
        named(searcher, **given)


def test_queries_and_judgments_that_do_not_meet_are_refused(beir: Path, searcher: IndexSearcher) -> None:
    (beir / "qrels" / "test.tsv").write_text("other\t1\t1\n")
    with pytest.raises(InputError, match="no query has judgments"):
        named(searcher, beir=str(beir))


def test_an_index_without_mesh_headings_has_no_topics(searcher: IndexSearcher) -> None:
    with pytest.raises(InputError, match="no query has judgments"):
        named(searcher, topics=5)


def asked(text: str, candidates: int | None = None) -> SearchRequest:
    return evaluate._request("q1", text, None, candidates)


def test_retracted_articles_are_measured_too() -> None:
    shelf = Shelf([2, 1, 3])
    responses = asyncio.run(evaluate._ask_all(joined(shelf), {"q1": asked("one"), "q2": asked("two")}))
    assert shelf.wanted == [EVERYTHING, EVERYTHING]
    assert {query: [hit.id for hit in r.hits] for query, r in responses.items()} == {
        q: ["2", "1", "3"] for q in ("q1", "q2")
    }


def test_the_report_is_shown_as_a_table() -> None:
    head: dict[str, Any] = {"version": "v1", "articles": 12_345, "queries": 2, "candidates": 3, "exact": False}
    scores: dict[str, Any] = {"retrieval": {"RR@10": 0.25}, "per_query": {}}
    difference = {"RR@10": PairedDifference(mean=0.25, low=0, high=0.5)}
    both = EvaluateReport(**head, **scores, reranked={"RR@10": 0.5}, difference=difference)
    shown = evaluate.show(both).splitlines()
    assert shown[0] == "version v1, 12,345 articles, 2 queries, 3 candidates re-ranked"
    assert shown[-1].split() == ["RR@10", "0.250", "0.500", "+0.250", "[+0.000,", "+0.500]"]
    assert "re-ranked" not in evaluate.show(EvaluateReport(**head, **scores))


@pytest.mark.parametrize(
    ("text", "candidates", "named"),
    [("one", 0, "query 'q1': candidates = 0: "), (" ", None, "query 'q1': query = ' ': ")],
)
def test_a_query_that_cannot_be_asked_is_named_before_any_is(text: str, candidates: int | None, named: str) -> None:
    with pytest.raises(InputError) as error:
        asked(text, candidates)
    assert str(error.value).startswith(named)
    assert "\n" not in str(error.value)


def test_a_query_length_is_a_number_from_1() -> None:
    with pytest.raises(UsageError, match="--query-length 0: give a number from 1"):
        evaluate._with_query_length(config(Path("s")), 0)
    assert evaluate._with_query_length(config(Path("s")), 512).encoder.query.max_length == 512

"""Reading judgments and scoring answers; a whole run on hand-made answers."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from actors.search.index_searcher import IndexSearcher
from jobs import evaluate
from retrieval.evaluate.judgments import Judgments
from retrieval.index.quantizer_training import train_quantizer
from schemas.errors import InputError, UsageError
from schemas.filters import EVERYTHING
from schemas.layout import Layout
from tests.support import corpus
from tests.support.hand_made_version import Piece, write_pieces, write_version
from tests.support.seams import Favours, Shelf, joined
from tests.support.stores import config, options

NONE: dict[str, Any] = {"beir": None, "queries": None, "qrels": None, "mesh_topics": None}
UNJUDGED = Judgments({"q1": "one", "q2": "two"}, {"q1": {"1": 1}, "q2": {"9": 1}}, None)


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> IndexSearcher:
    """An index whose articles have no MeSH headings."""
    layout = Layout(str(tmp_path_factory.mktemp("store")))
    return IndexSearcher(layout, write_version(layout))


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    (tmp_path / "qrels").mkdir()
    lines = '{"_id": "q1", "text": "one"}\n{"_id": "q2", "text": "é"}\n{"_id": "q3", "text": "unjudged"}\n'
    (tmp_path / "queries.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\t1\t1\nq2\t2\t2\n")
    return tmp_path


def test_a_beir_folder_gives_its_judged_queries(beir: Path, searcher: IndexSearcher) -> None:
    judgments = evaluate.load_judgments(options(**NONE | {"beir": str(beir)}), searcher)
    assert judgments == Judgments({"q1": "one", "q2": "é"}, {"q1": {"1": 1}, "q2": {"2": 2}}, None)


def test_two_files_give_what_their_folder_gives(beir: Path, searcher: IndexSearcher) -> None:
    files = {"queries": str(beir / "queries.jsonl"), "qrels": str(beir / "qrels" / "test.tsv")}
    by_folder = evaluate.load_judgments(options(**NONE | {"beir": str(beir)}), searcher)
    assert evaluate.load_judgments(options(**NONE | files), searcher) == by_folder


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"queries": "q"},
        {"qrels": "q"},
        {"beir": "b", "mesh_topics": 5},
        {"beir": "b", "queries": "q", "qrels": "q"},
        {"queries": "q", "qrels": "q", "mesh_topics": 0},
    ],
    ids=str,
)
def test_one_source_of_judgments_must_be_named(given: dict[str, Any], searcher: IndexSearcher) -> None:
    with pytest.raises(UsageError, match="name the judgments: --beir DIR, or"):
        evaluate.load_judgments(options(**NONE | given), searcher)


@pytest.mark.parametrize("file", ["queries.jsonl", "qrels/test.tsv"])
@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), (b"\xff\xfe\n", "not UTF-8 text")])
def test_a_file_that_cannot_be_read_is_named(
    file: str, content: bytes | None, reason: str, beir: Path, searcher: IndexSearcher
) -> None:
    path = beir / file
    path.unlink()
    if content:
        path.write_bytes(content)
    with pytest.raises(InputError) as error:
        evaluate.load_judgments(options(**NONE | {"beir": str(beir)}), searcher)
    assert str(error.value).startswith(f"{path}: {reason}")


def test_queries_and_judgments_that_do_not_meet_are_refused(beir: Path, searcher: IndexSearcher) -> None:
    (beir / "qrels" / "test.tsv").write_text("other\t1\t1\n")
    with pytest.raises(InputError, match="no query has judgments"):
        evaluate.load_judgments(options(**NONE | {"beir": str(beir)}), searcher)


def test_an_index_without_mesh_headings_has_no_topics(searcher: IndexSearcher) -> None:
    with pytest.raises(InputError, match="no query has judgments"):
        evaluate.load_judgments(options(**NONE | {"mesh_topics": 5}), searcher)


def answered(
    reranker: Favours | None,
    judgments: Judgments = UNJUDGED,
    candidates: int | None = None,
    shelf: Shelf | None = None,
) -> Any:
    service = joined(shelf or Shelf([2, 1, 3]), reranker)
    return asyncio.run(evaluate._ask_all(service, judgments, options(candidates=candidates, task=None)))


def test_retracted_articles_are_measured_too() -> None:
    shelf = Shelf([2, 1, 3])
    answered(None, shelf=shelf)
    assert shelf.wanted == [EVERYTHING, EVERYTHING]


def test_both_orders_are_scored_and_their_difference() -> None:
    report = evaluate.score(UNJUDGED, answered(Favours({1: 5.0})), reranked=True)
    # article 1 is second as retrieved and first as re-ranked; article 9 of q2 is never found
    assert report["retrieval"]["RR@10"] == pytest.approx((1 / 2 + 0) / 2)
    assert report["reranked"]["RR@10"] == pytest.approx((1 + 0) / 2)
    assert report["difference"]["RR@10"]["mean"] == pytest.approx(1 / 4)
    assert report["per_query"]["q1"]["reranked"]["RR@10"] == 1
    assert report["per_query"]["q2"]["retrieval"]["RR@10"] == 0
    assert report["per_query"]["q2"]["query"] == "two"


def test_retrieval_alone_has_one_system() -> None:
    report = evaluate.score(UNJUDGED, answered(None), reranked=False)
    assert set(report) == {"retrieval", "per_query"}
    assert set(report["per_query"]["q1"]) == {"query", "retrieval"}


def test_the_report_is_shown_as_a_table() -> None:
    head = {"version": "v1", "articles": 12_345, "queries": 2, "candidates": 3}
    shown = evaluate.show(head | evaluate.score(UNJUDGED, answered(Favours({1: 5.0})), reranked=True))
    assert shown.startswith("version v1, 12,345 articles, 2 queries, 3 candidates re-ranked\n")
    [row] = [line.split() for line in shown.splitlines() if line.startswith("RR@10")]
    assert row == ["RR@10", "0.250", "0.500", "+0.250", "[+0.000,", "+0.500]"]
    alone = evaluate.show(head | evaluate.score(UNJUDGED, answered(None), reranked=False))
    assert "re-ranked" not in alone


@pytest.mark.parametrize(
    ("text", "candidates", "named"), [("one", 0, "query 'q1': candidates: "), (" ", None, "query 'q1': query: ")]
)
def test_a_query_that_cannot_be_asked_is_named_before_any_is(text: str, candidates: int | None, named: str) -> None:
    with pytest.raises(InputError) as error:
        answered(None, Judgments({"q1": text}, {"q1": {"1": 1}}, None), candidates)
    assert str(error.value).startswith(named)
    assert "\n" not in str(error.value)


def test_a_trec_run_has_a_line_per_hit_best_first() -> None:
    lines = list(evaluate._trec_run(answered(Favours({1: 5.0}))))
    assert lines[:3] == ["q1 Q0 1 1 -1 pubray\n", "q1 Q0 2 2 -2 pubray\n", "q1 Q0 3 3 -3 pubray\n"]
    assert len(lines) == 6


def test_a_query_length_is_a_number_from_1() -> None:
    with pytest.raises(UsageError, match="--query-length 0: give a number from 1"):
        evaluate._with_query_length(config(Path("s")), 0)
    assert evaluate._with_query_length(config(Path("s")), 512).encoder.query.max_length == 512


def test_an_article_that_is_dead_in_the_version_is_not_judged(tmp_path: Path) -> None:
    rows, pmids = corpus.vectors(0, 20), np.arange(1, 21)
    dead = pmids > 14
    mesh: list[dict[str, object]] = [{"ui": None, "descriptor": "Rats", "major": True, "qualifiers": []}]
    records = corpus.articles(pmids)
    column = records.schema.get_field_index("mesh")
    records = records.set_column(column, records.schema.field("mesh"), pa.array([mesh] * 20, records["mesh"].type))
    content, _ = train_quantizer(rows.astype(np.float32), "IVF2,Flat", metric="l2", seed=0)
    layout = Layout(str(tmp_path))
    version = write_pieces(layout, content, [Piece(rows, pmids, dead, records)], nprobe=2, candidates=20)
    found = evaluate._headings(IndexSearcher(layout, version))
    assert {heading.id for heading in found} == {str(pmid) for pmid in pmids[~dead]}

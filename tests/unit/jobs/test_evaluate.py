"""Which judgments an evaluation goes by, what is asked, and what is told."""

import asyncio
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.search.index_searcher import IndexSearcher
from actors.store.local_store import LocalStore
from jobs import evaluate
from retrieval.evaluate.judgments import Judgments
from schemas.config import Config, EngineConfig
from schemas.errors import InputError, UsageError
from schemas.filters import EVERYTHING
from schemas.manifest import Current
from schemas.quality_report import ArticlesReport, EvaluateReport, PairedDifference, PairsReport
from schemas.search import SearchRequest
from tests.support.models import tiny
from tests.support.service.seams import Shelf, joined
from tests.support.stores import corpus
from tests.support.stores.hand_made_version import PMIDS, ROWS, write_version
from tests.support.stores.store_files import add_versions, config, set_current


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
        {"beir": "b", "mesh_topics": 5},
        {"beir": "b", "queries": "q", "qrels": "q"},
        {"queries": "q", "qrels": "q", "mesh_topics": 0},
        {"articles": "a", "pairs": "p"},
        {"articles": "a", "beir": "b"},
        {"pairs": "p", "queries": "q"},
    ],
    ids=str,
)
def test_one_source_of_judgments_must_be_named(given: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"name the judgments: --beir DIR, or .*, or --articles FILE, or --pairs FILE"):
        evaluate.run(config(tmp_path), **given)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"articles": "a", "exact": True}, "--exact does nothing with --articles; leave it out"),
        ({"articles": "a", "query_length": 64}, "--query-length does nothing with --articles; leave it out"),
        ({"pairs": "p", "candidates": 0}, "--candidates does nothing with --pairs; leave it out"),
        ({"pairs": "p", "no_rerank": True}, "--no-rerank does nothing with --pairs; leave it out"),
        ({"mesh_topics": 0}, "--mesh-topics 0: give a number from 1"),
    ],
    ids=str,
)
def test_an_option_that_would_do_nothing_is_refused(given: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"^{told}$"):
        evaluate.run(config(tmp_path), **given)


def test_queries_and_judgments_that_do_not_meet_are_refused(beir: Path, searcher: IndexSearcher) -> None:
    (beir / "qrels" / "test.tsv").write_text("other\t1\t1\n")
    with pytest.raises(InputError, match="no query has judgments"):
        named(searcher, beir=str(beir))


def test_an_index_without_mesh_headings_has_no_topics(searcher: IndexSearcher) -> None:
    with pytest.raises(InputError, match="no query has judgments"):
        named(searcher, topics=5)


@pytest.fixture
def served(tmp_path: Path) -> Config:
    """A store of random vectors whose version is served."""
    store = LocalStore(str(tmp_path / "store"))
    add_versions(store, "v1", of=write_version(store))
    set_current(store, Current(version="v1"))
    return config(tmp_path / "store")


def test_articles_are_ranked_among_those_that_were_judged(
    served: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a model: the configured one is nowhere."""
    vectors = dict(zip(PMIDS.tolist(), corpus.vectors(0, ROWS).astype(np.float32), strict=True))
    article, *judged = PMIDS[:4].tolist()
    best = sorted(judged, key=lambda pmid: -float(vectors[article] @ vectors[pmid]))
    file = tmp_path / "qrels.tsv"
    grades = [*zip(best, (0, 2, 1), strict=True), (999_999, 1)]
    lines = [f"{article}\t{pmid}\t{grade}\n" for pmid, grade in grades]
    file.write_text("".join([*lines, f"999999\t{article}\t1\n"]))
    report = evaluate.run(served, articles=str(file))
    assert isinstance(report, ArticlesReport)
    assert report.measures["MAP@5"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert report.measures["NDCG@5"] == pytest.approx((2 + 1 / log2(3)) / (2 + 1))
    assert report.per_query == {str(article): report.measures}
    assert evaluate.show(report).splitlines()[:5] == [
        "version v1, 400 articles; 1 queries, 3 judgments",
        "left out, for the version has not their article: 1 queries, 1 judgments",
        "measure   tiny",
        "-------  -----",
        "MAP@5    0.583",
    ]
    assert "2 of 2 articles" in capsys.readouterr().err


def test_judgments_of_other_articles_are_refused(served: Config, tmp_path: Path) -> None:
    file = tmp_path / "qrels.tsv"
    file.write_text(f"999999\t{PMIDS[0]}\t1\n{PMIDS[0]}\t999999\t1\n")
    with pytest.raises(InputError) as caught:
        evaluate.run(served, articles=str(file))
    assert str(caught.value).startswith(f"{file}: 2 articles as queries, and version v1 has none of them together with")


def test_sentences_are_compared_without_a_store(tmp_path: Path, tiny_encoder: Path) -> None:
    encoder, engine = tiny.spec(tiny_encoder), EngineConfig(kind="torch", precision="float32")
    file = tmp_path / "pairs.tsv"
    file.write_text("muscle pain\tpain\t3\nhay fever\tasthma\t2\nstatin\tmice\t1\n")
    report = evaluate.run(tiny.config(encoder, engine, tmp_path), pairs=str(file), query_length=5)
    assert isinstance(report, PairsReport)
    assert report.inner_product.pearson == pytest.approx(report.cosine.pearson, abs=1e-6)  # of vectors of length 1
    shown = [line.split() for line in evaluate.show(report).splitlines()]
    assert shown[:2] == [["tiny,", "3", "pairs", "of", "sentences"], ["score", "Pearson", "Spearman"]]
    assert shown[3] == ["inner", "product", f"{report.cosine.pearson:.3f}", f"{report.cosine.spearman:.3f}"]


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

"""Files of pairs in the layouts of others; made texts, of no real study."""

import json
from pathlib import Path
from typing import Any

import pytest

from retrieval.articles.article import key_of_id
from retrieval.train.pairs.pair_files import MEDCPT_NEGATIVES, GivenPairs, PairReader, read_articles_of, read_queries_of
from schemas.errors import InputError
from schemas.protocols import ArticleText

QUERIES = {"q1": "does aspirin help?", "q2": "does insulin help?"}
ARTICLES = {"11": ["Aspirin", "It helped."]}
READER = PairReader(QUERIES, ARTICLES)


def read(folder: Path, *records: Any, name: str = "pairs.jsonl") -> GivenPairs:
    path = folder / name
    path.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")
    return READER.read(path)


def texts_of(found: GivenPairs, keys: tuple[int, ...]) -> list[ArticleText]:
    return [found.texts[key] for key in keys]


def test_medcpts_clicks(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        {"qid": "q1", "pmid": "11", "click": 3},
        {"qid": "q2", "pmid": "12", "click": 1},
        {"qid": "q9", "pmid": "12", "click": 1},
    )
    assert [(p.query, p.positive, p.weight) for p in found.pairs] == [
        (QUERIES["q1"], 11, 2.0),
        (QUERIES["q2"], 12, 1.0),
    ]
    assert found.texts == {11: ArticleText("Aspirin", "It helped.")}
    assert found.skipped == {"a query that qid2info does not have": 1}


def test_medcpts_reranker_leaves_out_what_has_too_few_negatives(tmp_path: Path) -> None:
    negatives = [str(pmid) for pmid in range(100, 100 + MEDCPT_NEGATIVES)]
    whole = {"qid": "q1", "pos_pmids": [["11", 7], ["12", 1]], "neg_pmids": negatives}
    few = {"qid": "q2", "pos_pmids": [["11", 7]], "neg_pmids": negatives[1:]}
    path = tmp_path / "train.json"
    path.write_text(json.dumps([whole, few]))
    found = READER.read(path)
    assert [(p.positive, p.weight, len(p.negatives)) for p in found.pairs] == [(11, 3.0, 32), (12, 1.0, 32)]
    assert found.skipped == {"fewer than 32 negatives": 1}


@pytest.mark.parametrize(
    "record",
    [
        {"query": "q", "positive": "yes", "negatives": ["no", "not"]},
        {"query": "q", "positive": ["yes"], "negative": ["no", "not"], "instruction": None},
        {"query": "q", "pos": ["yes"], "neg": ["no", "not"]},
        {"query": "q", "pos": "yes", "neg": ["no", "not"]},
        {
            "query_id": "1",
            "query": "q",
            "positive_passages": [{"docid": "1", "title": "", "text": "yes"}],
            "negative_passages": [{"docid": "2", "title": "", "text": of} for of in ("no", "not")],
        },
    ],
    ids=["BiCA", "a list", "FlagEmbedding", "a text", "tevatron"],
)
def test_triplets_bring_their_texts(tmp_path: Path, record: dict[str, Any]) -> None:
    found = read(tmp_path, record)
    [pair] = found.pairs
    assert (pair.query, found.texts[pair.positive]) == ("q", ArticleText("", "yes"))
    assert texts_of(found, pair.negatives) == [ArticleText("", "no"), ArticleText("", "not")]


def test_an_article_that_is_named_twice_and_one_whose_text_the_store_is_to_have(tmp_path: Path) -> None:
    clicks = [("q1", "11", 1), ("q2", "11", 40), ("q2", "12", 1)]
    found = read(tmp_path, *({"qid": qid, "pmid": pmid, "click": click} for qid, pmid, click in clicks))
    assert [(p.query, p.positive) for p in found.pairs] == [(QUERIES[qid], int(pmid)) for qid, pmid, _ in clicks]
    assert list(found.texts) == [11]


def test_titles_of_tevatron_and_scores_of_flagembedding(tmp_path: Path) -> None:
    passage = {"docid": "11", "title": "Aspirin", "text": "It helped."}
    tevatron = {"query_id": "1", "query": "q", "positive_passages": [passage], "negative_passages": []}
    scored = {"query": "q", "pos": ["yes"], "neg": ["no"], "pos_scores": [0.9], "neg_scores": [0.2], "type": "normal"}
    found = read(tmp_path, tevatron, scored)
    assert texts_of(found, tuple(p.positive for p in found.pairs)) == [
        ArticleText("Aspirin", "It helped."),
        ArticleText("", "yes"),
    ]
    assert [pair.scores for pair in found.pairs] == [(), (0.9, 0.2)]


def test_scores_that_are_not_of_the_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neg has 1 texts and neg_scores 2 numbers"):
        read(tmp_path, {"query": "q", "pos": ["yes"], "neg": ["no"], "pos_scores": [0.9], "neg_scores": [0.2, 0.1]})


def test_a_line_ends_where_json_says(tmp_path: Path) -> None:
    """Not at a line separator within a text, which PubMed's have."""
    (tmp_path / "pairs.jsonl").write_text('{"query": "a\u2028b", "positive": "c\x85d"}\r\n', encoding="utf-8")
    [pair] = READER.read(tmp_path / "pairs.jsonl").pairs
    assert pair.query == "a\u2028b"


def test_one_negative_and_an_instruction(tmp_path: Path) -> None:
    found = read(
        tmp_path, {"query": "q", "positive": "a", "negative": "b"}, {"query": "q", "pos": ["a", "c"], "prompt": "Find"}
    )
    assert [len(pair.negatives) for pair in found.pairs] == [1, 0, 0]
    assert [pair.instruction for pair in found.pairs] == [None, "Find", "Find"]
    assert found.pairs[0].positive == found.pairs[1].positive


def test_beirs_folder(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "queries.jsonl").write_text('{"_id": "1", "text": "one"}\n')
    (tmp_path / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n1\t5\t2\n1\tMED-7\t1\n1\t6\t0\n")
    found = READER.read(tmp_path)
    assert [(p.query, p.positive, p.weight) for p in found.pairs] == [("one", 5, 2.0), ("one", key_of_id("MED-7"), 1.0)]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"query": "a", "pos": ["b"], "neg": ["c"], "weigth": 2}', "unknown key 'weigth'; the nearest known one is"),
        ('{"query": "a", "text": "b"}', "query, text: no layout of pairs that is known"),
        ('{"qid": "q1", "pmid": "1", "click": 0}', "click = 0: input should be greater than 0"),
        ("[1]", "entry 1: 1: no layout"),
        ("{", "line 1: not JSON but '{'"),
        ('"text"', "'text': no layout"),
        ("sentence1\tsentence2\tscore\n", "line 1: not JSON but 'sentence1"),
        ('{\n"q1": "does aspirin help?"\n}', "line 1: not JSON but '{'"),
        ('\n{"query": "a", "positive": "b", "negatvie": "c"}', "line 2: unknown key 'negatvie'; the nearest known one"),
        ('[{"qid": "q1", "pos_pmids": [["1", -1]], "neg_pmids": []}]', "entry 1: pos_pmids.0.1 = -1: input should be"),
    ],
)
def test_what_is_no_pair_is_refused_by_its_line(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "pairs.jsonl").write_text(line)
    with pytest.raises(InputError) as error:
        READER.read(tmp_path / "pairs.jsonl")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_infos_are_read_and_refused_by_their_entry(tmp_path: Path) -> None:
    path = tmp_path / "info.json"
    path.write_text(json.dumps(ARTICLES, indent=1))
    assert read_articles_of(path) == {"11": ("Aspirin", "It helped.")}
    path.write_text(json.dumps(QUERIES, indent=1))
    assert read_queries_of(path) == QUERIES
    with pytest.raises(InputError, match=r"info\.json: q1"):
        read_articles_of(path)
    with pytest.raises(InputError, match="name an existing file"):
        read_queries_of(tmp_path / "none.json")

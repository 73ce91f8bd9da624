import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from retrieval.evaluate import judgments
from retrieval.evaluate.judgments import (
    MIN_RELEVANT,
    Headings,
    Judgments,
    headings,
    mesh_topics,
    read_article_judgments,
    read_judgments,
    read_qrels,
    read_queries,
)
from schemas.errors import InputError
from tests.support.stores import corpus


def heading(descriptor: str, *qualifiers: tuple[str, bool]) -> dict[str, object]:
    return {
        "descriptor": descriptor,
        "major": False,
        "qualifiers": [{"name": name, "major": major} for name, major in qualifiers],
    }


def articles(topic: str, count: int, start: int = 0) -> list[Headings]:
    return [(str(start + i), [heading(topic, ("therapy", True))]) for i in range(count)]


def test_queries_are_read() -> None:
    lines = ['{"_id": "q1", "text": "one", "metadata": {}}\n', '{"_id": 2, "text": "two"}\n']
    assert read_queries(lines, "q") == {"q1": "one", "2": "two"}


@pytest.mark.parametrize("line", ["", "q1 text", '{"_id": "q1"}', '["q1", "text"]', "3", '{"_id": "q2", "text": null}'])
def test_a_line_that_is_no_query_is_named(line: str) -> None:
    with pytest.raises(InputError) as caught:
        read_queries(['{"_id": "q1", "text": "one"}', line], "queries.jsonl")
    assert str(caught.value) == f'queries.jsonl line 2: not {{"_id": …, "text": …}} but {line!r}'


@pytest.mark.parametrize(
    "lines",
    [
        ["query-id\tcorpus-id\tscore\n", "q1\t7\t2\n", "q1\t8\t0\n", "q2\t7\t1\n"],
        ["q1\t7\t2\n", "q1\t8\t0\n", "q2\t7\t1\n"],
        ["q1 0 7 2\n", "q1 0 8 0\n", "q2 0 7 1"],
    ],
    ids=["BEIR", "BEIR without header", "TREC"],
)
def test_judgments_are_read(lines: list[str]) -> None:
    assert read_qrels(lines, "qrels") == {"q1": {"7": 2, "8": 0}, "q2": {"7": 1}}


@pytest.mark.parametrize(
    "line", ["", "q1 7", "q1 7 high", "q1 Q0 7 1 0.93 tag", "q1 0 7 2 x", "query-id corpus-id score"]
)
def test_a_line_that_is_no_judgment_is_named(line: str) -> None:
    with pytest.raises(InputError) as caught:
        read_qrels(["q1 7 1", line], "test.tsv")
    assert str(caught.value) == f"test.tsv line 2: not 'query article grade' but {line!r}"


def test_a_long_line_is_named_in_short() -> None:
    with pytest.raises(InputError) as caught:
        read_qrels(["x" * 1000], "test.tsv")
    assert len(str(caught.value)) < 130


def relish(**response: list[str]) -> str:
    """A file of two people who judge for one article."""
    kinds = {"relevant": ["7"], "partial": ["8"], "irrelevant": []}
    entries = [{"uid": uid, "pmid": "5", "response": kinds | given} for uid, given in (("a", {}), ("b", response))]
    return json.dumps(entries)


def test_in_relish_each_judge_asks_a_query(tmp_path: Path) -> None:
    file = tmp_path / "RELISH_v1.json"
    file.write_text(relish(partial=["9"], irrelevant=["7"], relevant=[]))
    found = read_article_judgments(file)
    assert found == Judgments({"a": "5", "b": "5"}, {"a": {"7": 2, "8": 1}, "b": {"7": 0, "9": 1}}, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("5\t7\t2\n", "no JSON list (Extra data: line 1 column 3 (char 2)); name RELISH_v1.json, or"),
        ("5", "no JSON list ('int' object is not iterable); name RELISH_v1.json, or"),
        (relish(similar=["9"]), 'entry 2: not {"uid", "pmid", "response"} but {"uid": "b", "pmid": "5", "response": '),
        ('[{"uid": "a", "pmid": "5"}]', 'entry 1: not {"uid", "pmid", "response"} but {"uid": "a", "pmid": "5"}'),
        ('["a"]', 'entry 1: not {"uid", "pmid", "response"} but "a"'),
    ],
)
def test_another_file_is_not_taken_for_relish(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "judged.json"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_article_judgments(file)
    assert str(caught.value).startswith(f"{file}{':' if 'no JSON' in told else ''} {told}")


def test_articles_as_queries_are_read_from_lines(tmp_path: Path) -> None:
    file = tmp_path / "qrels.tsv"
    file.write_text("5\t7\t2\n5\t8\t0\n6\t5\t1\n")
    assert read_article_judgments(file) == Judgments({"5": "5", "6": "6"}, {"5": {"7": 2, "8": 0}, "6": {"5": 1}}, None)


def test_a_topic_is_a_descriptor_with_a_major_qualifier_and_enough_articles() -> None:
    judgments = mesh_topics(
        [
            *articles("Asthma", MIN_RELEVANT),
            *articles("Rare", MIN_RELEVANT - 1, start=100),
            *((str(200 + i), [heading("Rats", ("blood", False))]) for i in range(MIN_RELEVANT)),
            ("300", []),
        ],
        5,
        0,
    )
    (name,) = judgments.queries
    assert judgments.queries[name] == "Asthma, therapy"
    assert judgments.relevance == {name: {str(i): 1 for i in range(MIN_RELEVANT)}}


def test_only_articles_with_headings_are_judged() -> None:
    judgments = mesh_topics([*articles("Asthma", 1), ("8", []), ("9", [heading("Rats")])], 5, 0)
    assert judgments.judged == frozenset({"0", "9"})


def test_topics_are_drawn_alike_whatever_the_order_of_the_articles() -> None:
    corpus = [a for t in range(30) for a in articles(f"Topic {t}", MIN_RELEVANT, start=100 * t)]
    first, again = mesh_topics(corpus, 7, 1), mesh_topics(corpus[::-1], 7, 1)
    assert len(first.queries) == 7
    assert first == again
    assert mesh_topics(corpus, 7, 2).queries != first.queries
    assert len(mesh_topics(corpus, 50, 1).queries) == 30


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    (tmp_path / "qrels").mkdir()
    lines = '{"_id": "q1", "text": "one"}\n{"_id": "q2", "text": "é"}\n{"_id": "q3", "text": "unjudged"}\n'
    (tmp_path / "queries.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\t1\t1\nq2\t2\t2\n")
    return tmp_path


def test_of_two_files_the_judged_queries_are_taken(beir: Path) -> None:
    found = read_judgments(beir / "queries.jsonl", beir / "qrels" / "test.tsv")
    assert found == Judgments({"q1": "one", "q2": "é"}, {"q1": {"1": 1}, "q2": {"2": 2}}, None)


@pytest.mark.parametrize("file", ["queries.jsonl", "qrels/test.tsv"])
@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), (b"\xff\xfe\n", "not UTF-8 text")])
def test_a_file_that_cannot_be_read_is_named(file: str, content: bytes | None, reason: str, beir: Path) -> None:
    path = beir / file
    path.unlink()
    if content:
        path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_judgments(beir / "queries.jsonl", beir / "qrels" / "test.tsv")
    assert str(error.value).startswith(f"{path}: {reason}")


def test_the_headings_are_those_of_live_articles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judgments, "BATCH", 7)
    rows, pmids = corpus.vectors(0, 20), np.arange(1, 21)
    mesh: list[dict[str, object]] = [{"ui": None, "descriptor": "Rats", "major": True, "qualifiers": []}]
    records = corpus.articles(pmids)
    column = records.schema.get_field_index("mesh")
    records = records.set_column(column, records.schema.field("mesh"), pa.array([mesh] * 20, records["mesh"].type))
    quantizer = corpus.quantizer("IVF2,Flat", rows)
    whole = corpus.build(tmp_path / "s", quantizer, rows, pmids, records)
    segment = corpus.opened(tmp_path / "s", whole.manifest, quantizer, np.flatnonzero(whole.pmids > 14))
    found = list(headings([segment]))
    assert {article for article, _ in found} == {str(pmid) for pmid in range(1, 15)}
    assert all(own == mesh for _, own in found)

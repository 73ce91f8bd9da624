import json
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.articles.article import HASHED_KEY_BIT, Rejects, text_hash
from retrieval.ingest.corpora import read_beir_corpus, read_parquet_articles
from schemas.errors import InputError


def parquet_bytes(columns: dict[str, Any]) -> bytes:
    sink = BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def parquet_rows(data: bytes, rejects: Rejects | None = None) -> list[dict[str, Any]]:
    batches = read_parquet_articles(BytesIO(data), "in.parquet", rejects if rejects is not None else Rejects())
    return [row for batch in batches for row in batch.to_pylist()]


def beir_rows(*lines: object, rejects: Rejects | None = None) -> list[dict[str, Any]]:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    batches = read_beir_corpus(BytesIO(text.encode()), "corpus.jsonl", rejects if rejects is not None else Rejects())
    return [row for batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize("pmids", [[12, 3], ["12", "3"], pa.array(["12", "3"], pa.large_string())], ids=str)
def test_parquet_takes_numbers_and_strings_as_pmid(pmids: Any) -> None:
    rows = parquet_rows(parquet_bytes({"title": ["t", None], "pmid": pmids, "abstract": [None, "a"], "x": [1, 2]}))
    assert [(row["pmid"], row["doc_id"], row["title"], row["abstract"]) for row in rows] == [
        (12, None, "t", ""),
        (3, None, "", "a"),
    ]
    assert rows[1]["text_hash"] == text_hash("", "a")


def test_parquet_rows_without_id_or_text_are_dropped_with_a_reason() -> None:
    rejects = Rejects()
    data = parquet_bytes({"pmid": [None, "b", "c"], "title": ["t", " ", "t"], "abstract": ["", None, ""]})
    assert [row["doc_id"] for row in parquet_rows(data, rejects)] == ["c"]
    assert rejects.samples == {
        "no id": ["in.parquet row 1"],
        "neither title nor abstract": ["in.parquet row 2, id b"],
    }


def test_parquet_without_a_column_is_refused_with_what_it_has() -> None:
    with pytest.raises(InputError, match=r"^in\.parquet has no column abstract, only pmid, title; it needs pmid,"):
        parquet_rows(parquet_bytes({"pmid": [1], "title": ["t"]}))


@pytest.mark.parametrize(("column", "value"), [("pmid", 1.5), ("title", 3), ("abstract", ["a"])])
def test_parquet_with_a_column_of_another_type_is_refused(column: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"^in\.parquet: column {column} is of type .*; write it as a string$"):
        parquet_rows(parquet_bytes({"pmid": [1], "title": ["t"], "abstract": ["a"], column: [value]}))


@pytest.mark.parametrize("data", [b"", b"no Parquet at all", parquet_bytes({"pmid": [1]})[:-9]])
def test_what_is_not_whole_parquet_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^in\.parquet is not whole Parquet: [^\n]*; write it anew$"):
        parquet_rows(data)


def test_beir_ids_that_are_not_decimal_are_kept_beside_their_key() -> None:
    number, word = beir_rows(
        {"_id": "42", "title": "t", "text": "a", "metadata": {}}, "", {"_id": "MED-10", "text": "b"}
    )
    assert (number["pmid"], number["doc_id"], number["title"], number["abstract"]) == (42, None, "t", "a")
    assert (word["pmid"] >= HASHED_KEY_BIT, word["doc_id"], word["title"]) == (True, "MED-10", "")


def test_beir_documents_without_text_are_dropped_with_a_reason() -> None:
    rejects = Rejects()
    assert beir_rows({"_id": "1", "title": "", "text": "\n"}, {"_id": "", "text": "a"}, rejects=rejects) == []
    assert rejects.counts == {"neither title nor abstract": 1, "no id": 1}


@pytest.mark.parametrize(
    "line",
    [
        '{"_id": "1", "text": ',
        "[]",
        "7",
        {"text": "no id"},
        {"_id": "1"},
        {"_id": 1, "text": "a"},
        {"_id": "1", "text": None},
        {"_id": "1", "text": "\ud800"},
    ],
    ids=str,
)
def test_a_bad_beir_line_is_refused_by_its_number(line: object) -> None:
    with pytest.raises(InputError, match=r"^corpus\.jsonl line 2 is no record [^\n]*; write \{"):
        beir_rows({"_id": "0", "text": "good"}, line)

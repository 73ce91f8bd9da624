import gzip
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.articles.article import HASHED_KEY_BIT, Rejects, article_batches, text_hash
from retrieval.ingest.readers import READERS, open_source, read_beir_corpus, read_parquet_articles
from schemas.errors import InputError


def parquet_bytes(columns: dict[str, Any]) -> bytes:
    sink = BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def parquet_rows(data: bytes, rejects: Rejects | None = None) -> list[dict[str, Any]]:
    batches = article_batches(
        read_parquet_articles(BytesIO(data), "in.parquet", rejects if rejects is not None else Rejects())
    )
    return [row for batch in batches for row in batch.to_pylist()]


def beir_rows(*lines: object, rejects: Rejects | None = None) -> list[dict[str, Any]]:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    batches = article_batches(
        read_beir_corpus(BytesIO(text.encode()), "corpus.jsonl", rejects if rejects is not None else Rejects())
    )
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
    given = [None, "2", "3", "MED-10", "1e6"]
    data = parquet_bytes({"pmid": given, "title": ["t", " ", "t", "t", "t"], "abstract": ["", None, "", "", ""]})
    assert [row["pmid"] for row in parquet_rows(data, rejects)] == [3]
    assert rejects.samples == {
        "no id": ["in.parquet row 1"],
        "neither title nor abstract": ["in.parquet row 2, id 2"],
        "no PMID": ["in.parquet row 4, 'MED-10'", "in.parquet row 5, '1e6'"],
    }


@pytest.mark.parametrize("given", ["12", " 12 ", "12.0", "PMID: 12", "pmid:12", "PMID 12", "0012"])
def test_a_pmid_is_read_as_people_and_table_programs_write_it(given: str) -> None:
    [row] = parquet_rows(parquet_bytes({"pmid": [given], "title": ["t"], "abstract": ["a"]}))
    assert (row["pmid"], row["doc_id"]) == (12, None)


@pytest.mark.parametrize("kind", [pa.dictionary(pa.int32(), pa.string()), pa.string_view(), pa.large_string()], ids=str)
def test_parquet_takes_strings_of_any_kind(kind: pa.DataType) -> None:
    texts = pa.array(["some", "other"]).cast(kind) if kind != pa.string_view() else pa.array(["some", "other"], kind)
    rows = parquet_rows(parquet_bytes({"pmid": [1, 2], "title": texts, "abstract": texts}))
    assert [(row["title"], row["abstract"]) for row in rows] == [("some", "some"), ("other", "other")]


@pytest.mark.parametrize("years", [[1999, None, 20, 99999], ["1999", None, "n.d.", "1999-02"], [None] * 4])
def test_parquet_may_have_years_and_journals(years: list[Any]) -> None:
    texts = {"pmid": [1, 2, 3, 4], "title": ["t"] * 4, "abstract": [""] * 4}
    rows = parquet_rows(parquet_bytes({**texts, "year": years, "journal": ["Lancet", None, "", "BMJ"]}))
    assert [row["year"] for row in rows] == [1999 if years[0] else None, None, None, None]
    assert [row["journal"] for row in rows] == ["Lancet", "", "", "BMJ"]
    plain = parquet_rows(parquet_bytes(texts))
    assert rows[2] == plain[2]  # its hash too
    assert [row["record_hash"] == other["record_hash"] for row, other in zip(rows, plain, strict=True)] == [
        False, True, True, False,
    ]  # fmt: skip


def test_parquet_with_a_column_twice_is_refused_by_its_name() -> None:
    sink = BytesIO()
    columns = [pa.array([1]), *[pa.array(["a"])] * 3]
    pq.write_table(pa.Table.from_arrays(columns, names=["pmid", "title", "title", "abstract"]), sink)
    with pytest.raises(InputError, match=r"^in\.parquet has 2 columns title; keep one of them$"):
        parquet_rows(sink.getvalue())


def test_a_null_title_of_beir_is_no_title() -> None:
    [row] = beir_rows({"_id": "d1", "title": None, "text": "Statins."})
    assert (row["title"], row["abstract"]) == ("", "Statins.")


def test_parquet_without_a_column_is_refused_with_what_it_has() -> None:
    with pytest.raises(InputError, match=r"^in\.parquet has no column abstract, only pmid, title; it needs pmid,"):
        parquet_rows(parquet_bytes({"pmid": [1], "title": ["t"]}))


@pytest.mark.parametrize(
    ("column", "value"), [("pmid", 1.5), ("title", 3), ("abstract", ["a"]), ("year", 1999.5), ("journal", 7)]
)
def test_parquet_with_a_column_of_another_type_is_refused(column: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"^in\.parquet: column {column} is of type .*; write it as a string$"):
        parquet_rows(parquet_bytes({"pmid": [1], "title": ["t"], "abstract": ["a"], column: [value]}))


@pytest.mark.parametrize("data", [b"", b"no Parquet at all", parquet_bytes({"pmid": [1]})[:-9]])
def test_what_is_not_whole_parquet_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^in\.parquet is not whole Parquet: [^\n]*; write it anew$"):
        parquet_rows(data)


def test_parquet_whose_number_of_rows_is_flipped_is_refused() -> None:
    """A bit is flipped of each byte that may be the number: rows are all read, or it is told that they are not."""
    good, told = parquet_bytes({"pmid": list(range(1, 51)), "title": ["t"] * 50, "abstract": ["a"] * 50}), set[str]()
    begin = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    for place in (place for place in range(begin, len(good) - 8) if good[place] == 2 * 50):  # as Thrift writes it
        try:
            assert len(parquet_rows(good[:place] + bytes([good[place] ^ 8]) + good[place + 1 :])) == 50
        except InputError as error:
            told.add(str(error))
    assert "in.parquet is not whole Parquet: of 54 rows 50 are there; write it anew" in told


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


XML = (
    b"<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>7</PMID><Article><ArticleTitle>One</ArticleTitle>"
    b"</Article></MedlineCitation></PubmedArticle></PubmedArticleSet>"
)
BEIR = json.dumps({"_id": "7", "title": "One", "text": ""}).encode()


def titles(path: Path) -> list[str]:
    with open_source(path, Rejects()) as batches:
        return [title for batch in batches for title in batch["title"].to_pylist()]


@pytest.mark.parametrize(("name", "content"), [("pubmed20n0001.xml", XML), ("corpus.jsonl", BEIR)])
def test_a_source_is_read_by_its_name_plain_and_zipped(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    assert titles(tmp_path / name) == titles(tmp_path / f"{name}.gz") == ["One"]


def test_parquet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "articles.parquet"
    pq.write_table(pa.table({"pmid": pa.array([7]), "title": ["One"], "abstract": [""]}), path)
    assert titles(path) == ["One"]


def test_a_gzip_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "pubmed20n0001.xml.gz"
    path.write_bytes(gzip.compress(XML[:50]) + gzip.compress(XML[50:]))
    assert titles(path) == ["One"]


@pytest.mark.parametrize("content", [gzip.compress(XML)[:-12], XML], ids=["cut", "not zipped"])
@pytest.mark.parametrize("name", ["pubmed20n0001.xml.gz", "corpus.jsonl.gz"])
def test_what_is_no_whole_gzip_is_refused_by_name(content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"^{name} is not whole gzip: .*, after \w+ 0; download it again$"):
        titles(tmp_path / name)


def test_a_file_of_another_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"x")
    with pytest.raises(InputError, match=r"notes\.txt"):
        titles(tmp_path / "notes.txt")


def test_every_kind_has_its_reader() -> None:
    assert sorted(READERS) == ["beir", "parquet", "pubmed"]

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.articles.article import Article, article_batch, article_with_id
from retrieval.rows import named_rows
from retrieval.rows.article_names import Name, parse_names
from retrieval.rows.named_rows import NamedRows, NameWriter
from retrieval.rows.row_order import write_order
from retrieval.rows.row_set import RowSet
from schemas.layout import DOI_ORDER, PMID_ORDER, PMIDS, TITLE_ORDER

TITLES = ["Editorial.", "[Aspirin in stroke.]", "Aspirin in Stroke", "", "2020"]
DOIS = ["10.1000/X", "10.1000/x", "10.1000/y", None]
ARTICLES = st.lists(
    st.tuples(st.integers(1, 10**9), st.sampled_from(TITLES), st.sampled_from(DOIS)).map(
        lambda drawn: Article(drawn[0], title=drawn[1], doi=drawn[2])
    ),
    unique_by=lambda article: article.pmid,
    max_size=20,
)


def named_rows_of(folder: Path, articles: list[Article]) -> NamedRows:
    table = pa.Table.from_batches([article_batch(articles)])
    np.array([article.pmid for article in articles], np.int64).tofile(folder / PMIDS)
    write_order(folder / PMIDS, folder / PMID_ORDER)
    writer = NameWriter(folder)
    for start in range(0, len(articles), 3):
        writer.add(table[start : start + 3])
    writer.finish()
    return NamedRows(folder, table)


def every(rows: int) -> RowSet:
    return RowSet(np.ones(rows, bool))


def one(text: str) -> Name:
    return parse_names(text)[-1]


@given(articles=ARTICLES, seed=st.integers(0, 99))
def test_of_the_wanted_rows_of_a_name_that_with_the_lowest_pmid_is_found(
    articles: list[Article], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = named_rows_of(tmp_path_factory.mktemp("names"), articles)
    wanted = np.random.default_rng(seed).random(len(articles)) < 0.7

    def expected(same: list[bool]) -> int | None:
        having = [row for row, is_same in enumerate(same) if is_same and wanted[row]]
        return min(having, key=lambda row: articles[row].pmid, default=None)

    for title in ("editorial", "Aspirin in stroke.", "2020"):
        same = [a.title.lower().strip("[.]") == title.lower().strip("[.]") for a in articles]
        assert rows.find(one(title), RowSet(wanted)) == expected(same)
    for doi in ("10.1000/x", "10.1000/y"):
        assert rows.find(one(doi), RowSet(wanted)) == expected([(a.doi or "").lower() == doi for a in articles])
    for article in articles:
        by_id = Name("id", str(article.pmid))
        assert rows.find(by_id, RowSet(wanted)) == expected([a is article for a in articles])


def test_an_article_of_another_corpus_is_found_by_its_own_id(tmp_path: Path) -> None:
    rows = named_rows_of(tmp_path, [article_with_id(name, "t", "a") for name in ("MED-10", "MED-9", "17")])
    assert [rows.find(Name("id", name), every(3)) for name in ("MED-10", "MED-9", "17")] == [0, 1, 2]
    assert rows.find(Name("id", "med-10"), every(3)) is None


@pytest.mark.parametrize("kind", ["doi", "title"])
def test_equal_hashes_of_other_texts_are_told_apart(kind: str, tmp_path: Path) -> None:
    def all_alike(forms: list[bytes]) -> NDArray[np.int64]:
        return np.full(len(forms), 5, np.int64)

    with patch("retrieval.rows.article_names._hashed", all_alike):
        rows = named_rows_of(tmp_path, [Article(i, title=f"T {i}", doi=f"10.1000/{i}") for i in (30, 20, 10)])
        texts = [f"T {i}" if kind == "title" else f"10.1000/{i}" for i in (30, 20, 10, 40)]
        assert [rows.find(one(text), every(3)) for text in texts] == [0, 1, 2, None]
        with patch.object(named_rows, "READ_ROWS", 2):
            assert [rows.find(one(text), every(3)) for text in texts] == [None, 1, 2, None]


def test_equal_keys_of_other_ids_are_told_apart(tmp_path: Path) -> None:
    key = Name("id", "MED-10").key
    rows = named_rows_of(tmp_path, [Article(key, doc_id="MED-11", title="t")])
    assert rows.find(Name("id", "MED-10"), every(1)) is None


def test_rows_without_a_name_take_no_place_in_its_order(tmp_path: Path) -> None:
    named_rows_of(tmp_path, [Article(3, title="."), Article(2, title="T", doi="10.1000/x"), Article(1, title="T")])
    assert np.fromfile(tmp_path / TITLE_ORDER, np.uint32).tolist() == [2, 1]
    assert np.fromfile(tmp_path / DOI_ORDER, np.uint32).tolist() == [1]


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    rows = named_rows_of(tmp_path, [])
    assert rows.find(one("Editorial"), every(0)) is None
    assert rows.find(Name("id", "1"), every(0)) is None

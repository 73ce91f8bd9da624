from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.articles.article import article_batch, article_with_id, key_of_id
from retrieval.articles.normal_text import normal_form
from retrieval.rows import named_rows
from retrieval.rows.named_rows import (
    NAME_CHARS,
    NO_NAME,
    Name,
    NamedRows,
    NameWriter,
    doi_hashes,
    normal_doi,
    parse_names,
    pmcid_numbers,
    title_hashes,
)
from retrieval.rows.row_numbers import RowSet, write_order
from schemas.article import Article
from schemas.layout import DOI_ORDER, PMCID_ORDER, PMCIDS, PMID_ORDER, PMIDS, TITLE_ORDER

TEXTS = st.text(st.sampled_from(" \t\x1f.[]AaZ1é&<\u017f\u212a²&amp;<i>"), max_size=12)
DOI_PIECES = ["doi:", "DOI: ", "https://doi.org/", "10.1000/", "ABC", " ", "ß", "1"]
DOI_TEXTS = st.lists(st.sampled_from(DOI_PIECES)).map("".join)


def title(text: str) -> Name:
    return Name("title", text)


def own(text: str) -> Name:
    return Name("id", text)


def doi(text: str) -> Name:
    return Name("doi", text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("402406", [own("402406"), title("402406")]),
        (" PMID: 402406 ", [own("402406"), title("pmid: 402406")]),
        ("pmid402406", [own("402406"), own("pmid402406"), title("pmid402406")]),
        ("402406.", [own("402406"), own("402406."), title("402406")]),
        ("1234567890", [own("1234567890"), title("1234567890")]),
        ("007", [own("007"), title("007")]),
        ("MED-10", [own("MED-10"), title("med-10")]),
        ("PMC17", [Name("pmcid", "17"), own("PMC17"), title("pmc17")]),
        ("10.1016/J.X", [doi("10.1016/j.x"), own("10.1016/J.X"), title("10.1016/j.x")]),
        ("DOI: 10.1016/J.X.", [doi("10.1016/j.x."), doi("10.1016/j.x"), title("doi: 10.1016/j.x")]),
        ("10.1016/J.X and more", [title("10.1016/j.x and more")]),
        ("10.1/x", [own("10.1/x"), title("10.1/x")]),
        ("[Aspirin  in Stroke.]", [title("aspirin in stroke")]),
        (" . ", [own(".")]),
    ],
)
def test_a_query_names_what_it_looks_like(text: str, names: list[Name]) -> None:
    assert parse_names(text) == [names]


@pytest.mark.parametrize("text", ["", " \n", "a b" * NAME_CHARS])
def test_nothing_and_what_is_too_long_name_nothing(text: str) -> None:
    assert parse_names(text) == []


def test_of_several_identifiers_each_is_an_article_and_their_text_may_be_a_title() -> None:
    assert parse_names("PMID: 17; PMCID: PMC9\n10.1000/X") == [
        [own("17")],
        [Name("pmcid", "9")],
        [doi("10.1000/x")],
        [title("pmid: 17; pmcid: pmc9 10.1000/x")],
    ]
    assert parse_names("17,19") == [[own("17")], [own("19")], [own("17,19"), title("17,19")]]


@given(st.lists(st.text("abcXYZ().'", min_size=1, max_size=8), min_size=2, max_size=8).map(" ".join))
def test_words_are_a_title_alone(text: str) -> None:
    assert parse_names(text) == ([[title(normal_form(text))]] if normal_form(text) else [])


def test_a_text_of_a_thousand_characters_may_be_a_title() -> None:
    text = "a b " * 250
    assert parse_names(text + "c" * 2) == []
    assert parse_names(text) == [[title(text.strip())]]


@given(st.lists(TEXTS))
def test_titles_of_one_normal_form_have_one_hash(titles: list[str]) -> None:
    hashes = title_hashes(pa.array(titles, pa.string()))
    forms = [normal_form(text) for text in titles]
    assert hashes.tolist() == [title(form).key if form else NO_NAME for form in forms]
    assert len({*hashes.tolist()}) == len({*forms})


@given(st.lists(st.none() | DOI_TEXTS))
def test_dois_of_one_normal_form_have_one_hash(dois: list[str | None]) -> None:
    hashes = doi_hashes(pa.array(dois, pa.string()))
    forms = [normal_doi(text or "") for text in dois]
    assert hashes.tolist() == [Name("doi", form).key if form else NO_NAME for form in forms]


def test_hashes_stay_what_they_are_in_segments_written_before() -> None:
    assert title_hashes(pa.array(["Aspirin in stroke."])).tolist() == [title("aspirin in stroke").key]
    assert title("aspirin in stroke").key == 8566435589201797849
    assert title_hashes(pa.array(["Aspirin in stroke."])).dtype == np.int64


def test_an_id_is_looked_up_by_its_key() -> None:
    assert Name("id", "402406").key == 402406
    assert Name("id", "MED-10").key == key_of_id("MED-10")


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
    return NamedRows(folder.joinpath, table)


def every(rows: int) -> RowSet:
    return RowSet(np.ones(rows, bool))


def one(text: str) -> Name:
    """A DOI, or a title."""
    [names] = parse_names(text)
    return next((name for name in names if name.kind == "doi"), names[-1])


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

    with patch("retrieval.rows.named_rows.hashed", all_alike):
        rows = named_rows_of(tmp_path, [Article(i, title=f"T {i}", doi=f"10.1000/{i}") for i in (30, 20, 10)])
        texts = [f"T {i}" if kind == "title" else f"10.1000/{i}" for i in (30, 20, 10, 40)]
        assert [rows.find(one(text), every(3)) for text in texts] == [0, 1, 2, None]
        with patch.object(named_rows, "READ_ROWS", 2):
            assert [rows.find(one(text), every(3)) for text in texts] == [None, 1, 2, None]


def test_equal_keys_of_other_ids_are_told_apart(tmp_path: Path) -> None:
    key = Name("id", "MED-10").key
    rows = named_rows_of(tmp_path, [Article(key, doc_id="MED-11", title="t")])
    assert rows.find(Name("id", "MED-10"), every(1)) is None


def test_a_pmcid_is_found_where_a_segment_has_pmcids(tmp_path: Path) -> None:
    pmcids = {30: None, 20: "PMC9", 25: None, 10: "PMC9"}
    articles = [Article(pmid, title="T", pmcid=pmcid) for pmid, pmcid in pmcids.items()]
    rows = named_rows_of(tmp_path, articles)
    assert [rows.find(Name("pmcid", number), every(4)) for number in ("9", "8", "0")] == [3, None, None]
    assert rows.find(Name("pmcid", "9"), RowSet(np.array([True, True, True, False]))) == 1
    for name in (PMCIDS, PMCID_ORDER):  # as in format 1
        (tmp_path / name).unlink()
    rows = NamedRows(tmp_path.joinpath, pa.Table.from_batches([article_batch(articles)]), 1)
    assert rows.find(Name("pmcid", "9"), every(4)) is None


def test_rows_without_a_name_take_no_place_in_its_order(tmp_path: Path) -> None:
    named_rows_of(tmp_path, [Article(3, title="."), Article(2, title="T", doi="10.1000/x"), Article(1, title="T")])
    assert np.fromfile(tmp_path / TITLE_ORDER, np.uint32).tolist() == [2, 1]
    assert np.fromfile(tmp_path / DOI_ORDER, np.uint32).tolist() == [1]


def test_pmcids_are_put_in_order_of_their_numbers(tmp_path: Path) -> None:
    pmcids = ["PMC30", "pmc7.1", None, "20", "PMC", "MID7", ""]
    assert pmcid_numbers(pa.array(pmcids, pa.string())).tolist() == [30, 7, 0, 20, 0, 0, 0]
    named_rows_of(tmp_path, [Article(i, title="t", pmcid=pmcid) for i, pmcid in enumerate(pmcids, 1)])
    assert np.fromfile(tmp_path / PMCIDS, np.int64).tolist() == [30, 7, 0, 20, 0, 0, 0]
    assert np.fromfile(tmp_path / PMCID_ORDER, np.uint32).tolist() == [1, 3, 0]


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    rows = named_rows_of(tmp_path, [])
    assert rows.find(one("Editorial"), every(0)) is None
    assert rows.find(Name("id", "1"), every(0)) is None

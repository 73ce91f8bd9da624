import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.articles.article import key_of_id
from retrieval.articles.normal_text import normal_form
from retrieval.rows.article_names import NAME_CHARS, NO_NAME, Name, doi_hashes, normal_doi, parse_names, title_hashes

TEXTS = st.text(st.sampled_from(" \t\x1f.[]AaZ1é&<\u017f\u212a²&amp;<i>"), max_size=12)
DOI_PIECES = ["doi:", "DOI: ", "https://doi.org/", "10.1000/", "ABC", " ", "ß", "1"]
DOI_TEXTS = st.lists(st.sampled_from(DOI_PIECES)).map("".join)


def title(text: str) -> Name:
    return Name("title", text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("402406", [Name("id", "402406"), title("402406")]),
        (" PMID: 402406 ", [Name("id", "402406"), title("pmid: 402406")]),
        ("pmid402406", [Name("id", "402406"), title("pmid402406")]),
        ("1234567890", [Name("id", "1234567890"), title("1234567890")]),
        ("007", [Name("id", "007"), title("007")]),
        ("MED-10", [Name("id", "MED-10"), title("med-10")]),
        ("10.1016/0091-6749(77)90156-7", [Name("doi", "10.1016/0091-6749(77)90156-7")]),
        ("doi:10.1016/J.X", [Name("doi", "10.1016/j.x")]),
        ("DOI: 10.1016/J.X", [Name("doi", "10.1016/j.x")]),
        ("http://dx.doi.org/10.1016/J.X", [Name("doi", "10.1016/j.x")]),
        ("https://doi.org/10.1016/J.X", [Name("doi", "10.1016/j.x")]),
        ("10.1016/J.X and more", [title("10.1016/j.x and more")]),
        ("10.1/x", [Name("id", "10.1/x"), title("10.1/x")]),
        ("[Aspirin  in Stroke.]", [title("aspirin in stroke")]),
        ("", []),
        (" . ", [Name("id", ".")]),
        ("a b" * NAME_CHARS, []),
    ],
)
def test_a_query_names_what_it_looks_like(text: str, names: list[Name]) -> None:
    assert parse_names(text) == names


def test_a_text_of_a_thousand_characters_may_be_a_title() -> None:
    text = "a b " * 250
    assert parse_names(text + "c" * 2) == []
    assert parse_names(text) == [title(text.strip())]


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

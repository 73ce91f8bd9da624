from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retrieval.search.highlight import highlights

TEXTS = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from("aAsSßİﬁǆ 2-\u0301α")), max_size=60)


def marked(query: str, text: str) -> list[str]:
    return [text[begin:end] for begin, end in highlights(query, text)]


@given(query=TEXTS, text=TEXTS)
@example(query="STRASSE ist", text="İİ ßß Straße İst")
def test_spans_are_ascending_inside_the_text_and_apart(query: str, text: str) -> None:
    spans = highlights(query, text)
    assert all(0 <= begin < end <= len(text) for begin, end in spans)
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))


@given(before=TEXTS, after=TEXTS)
@example(before="İİİ ßßß ﬁﬁﬁ", after="")
def test_letters_that_change_their_length_shift_nothing(before: str, after: str) -> None:
    spans = highlights("statins", f"{before} Statin {after}")
    assert (len(before) + 1, len(before) + 7) in spans


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("statins", "Statin"),
        ("Therapies", "therapy"),
        ("viruses", "virus"),
        ("illnesses", "ILLNESS"),
        ("reflexes", "reflex"),
        ("analyses", "analysis"),
        ("metastasis", "metastases"),
        ("trees", "tree"),
        ("STRASSE", "Straße"),
        ("Sjogren", "Sjögren"),
        ("Sjo\u0308gren", "Sj\u00f6gren"),
        ("Sj\u00f6gren", "Sjo\u0308gren"),
        ("alpha", "α"),
        ("β", "beta"),
        ("CO2", "CO₂"),
        ("p53", "P53"),
        ("D3", "D3"),
    ],
)
def test_forms_of_one_word_are_the_same(query: str, text: str) -> None:
    assert marked(query, f"A {text}.") == [text]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("effect of statins with or without fibrates", "The use of it, with or without."),
        ("type 2 diabetes", "2 weeks, grade 2"),
        ("vitamin D", "group D"),
        ("COVID-19", "19 women"),
        ("it was used", "It was used, and uses are many."),
        ("gen", "general"),
        ("", "anything"),
        ("?!", "?!"),
    ],
)
def test_what_says_nothing_is_not_marked(query: str, text: str) -> None:
    assert marked(query, text) == []


@pytest.mark.parametrize(
    ("query", "text", "words"),
    [
        ("type 2 diabetes", "Type 2 diabetes in 2 weeks", ["Type", "2", "diabetes"]),
        ("vitamin D", "Vitamin D in group D", ["Vitamin", "D"]),
        ("COVID-19", "COVID-19 in 19 women", ["COVID", "19"]),
        ("IL-6", "IL-6 and IL-10, and 6 more", ["IL", "6"]),
        ("protein S", "Protein S; group S", ["Protein", "S"]),
        ("TNF alpha", "TNF-α", ["TNF", "α"]),
    ],
)
def test_numbers_and_letters_are_marked_beside_their_word(query: str, text: str, words: list[str]) -> None:
    assert marked(query, text) == words

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.web.page.page_text import LEAD, WHOLE, Line, Piece, abstract, few_authors, lines, long_date, pieces

SENTENCE = "Statins are taken by many. "


def text_of(line: Line) -> str:
    return "".join(piece.text for piece in line)


@st.composite
def marked_texts(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    text = draw(st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from("a. \n:AB")), max_size=900))
    bounds = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    return text, [*pairwise(bounds)][::2]


@given(marked_texts())
def test_a_lead_and_the_rest_are_the_whole_abstract(given: tuple[str, list[tuple[int, int]]]) -> None:
    text, marks = given
    lead, rest = abstract(text, marks)
    shown = "".join(text_of(line) for line in [*lead, *rest]).replace("…", "")
    assert "".join(shown.split()) == "".join(text.replace("…", "").split())


@given(marked_texts())
def test_pieces_are_the_text_and_the_marked_ones_are_the_marks(given: tuple[str, list[tuple[int, int]]]) -> None:
    text, marks = given
    line = pieces(text, marks, 0, len(text))
    assert text_of(line) == text
    assert [piece.text for piece in line if piece.kind == "mark"] == [text[first:last] for first, last in marks]


def test_marks_beyond_a_stretch_are_cut_off() -> None:
    assert pieces("abcdef", [(0, 2), (3, 6)], 1, 4) == [Piece("b", "mark"), Piece("c"), Piece("d", "mark")]


def test_the_labels_of_a_structured_abstract_are_told_apart() -> None:
    text = "BACKGROUND: Why.\nMETHODS AND RESULTS: How: so.\n\nDNA:RNA is no label."
    assert lines(text, [], 0, len(text)) == [
        [Piece("BACKGROUND:", "label"), Piece(" Why.")],
        [Piece("METHODS AND RESULTS:", "label"), Piece(" How: so.")],
        [Piece("DNA:RNA is no label.")],
    ]


def test_a_lead_that_ends_within_a_line_leaves_no_label_behind() -> None:
    text = SENTENCE * 10 + "RNA: " + SENTENCE * 10
    begin = text.index("RNA")
    assert lines(text, [], begin, len(text)) == [[Piece(text[begin:])]]


def test_a_short_abstract_is_whole() -> None:
    text = (SENTENCE * 40)[:WHOLE]
    assert abstract(text, []) == ([[Piece(text)]], [])
    assert abstract("", []) == ([], [])


def test_a_long_abstract_begins_with_whole_sentences() -> None:
    lead, rest = abstract(SENTENCE * 40, [])
    assert text_of(lead[0]) == SENTENCE * (LEAD // len(SENTENCE))
    assert text_of(rest[0]).startswith("Statins")


@pytest.mark.parametrize("no_end", ["in 1.5 mg of it ", "e.g. with it ", "word "])
def test_a_long_abstract_without_sentences_begins_with_whole_words(no_end: str) -> None:
    text = no_end * 100
    [lead], [rest] = abstract(text, [])
    assert lead[-1] == Piece("…")
    assert lead[0].text.endswith(" ")
    assert not rest[0].text.startswith(" ")
    assert LEAD - len(no_end) < len(lead[0].text) <= LEAD


def test_an_endless_word_is_cut() -> None:
    [lead], [rest] = abstract("A" * 1000, [])
    assert (text_of(lead), len(text_of(rest))) == ("A" * LEAD + "…", 1000 - LEAD)


@pytest.mark.parametrize(
    ("authors", "named"),
    [
        ([], ""),
        (["Lovelace AK"], "Lovelace AK"),
        (["A", "B", "C", "D"], "A, B, C, D"),
        (["A", "B", "C", "D", "E"], "A, B, C, et al."),
    ],
)
def test_the_first_authors_are_named(authors: list[str], named: str) -> None:
    assert few_authors(authors) == named


@pytest.mark.parametrize(
    ("date", "read"),
    [("2021-06-07", "7 June 2021"), ("1999-12", "December 1999"), ("2008", "2008"), ("", "")],
)
def test_a_date_is_as_precise_as_it_is_known(date: str, read: str) -> None:
    assert long_date(date) == read

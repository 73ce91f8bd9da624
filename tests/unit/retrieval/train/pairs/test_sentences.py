import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.train.pairs.sentences import is_asked_for, is_finding, sentences


def parts(text: str) -> list[str]:
    return [text[span.start : span.stop] for span in sentences(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One two. Three four.", ["One two.", "Three four."]),
        ("Mice (e.g. C57BL) ran. They slept!", ["Mice (e.g. C57BL) ran.", "They slept!"]),
        ("It fell (P < .05). No. 3 did not.", ["It fell (P < .05).", "No. 3 did not."]),
        ("Seen by Smith et al. In 1999 it was 3.5 mg.", ["Seen by Smith et al. In 1999 it was 3.5 mg."]),
        ("AIM: To see\nRESULTS: 12 of 30 fell.", ["AIM: To see", "RESULTS: 12 of 30 fell."]),
        ("S. aureus grew. E. coli did not.", ["S. aureus grew.", "E. coli did not."]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, wanted: list[str]) -> None:
    assert parts(text) == wanted


@given(st.text(alphabet="aB1. \n?!()e", max_size=60))
def test_no_character_is_lost_but_white_space(text: str) -> None:
    spans = [*sentences(text)]
    assert "".join("".join(parts(text)).split()) == "".join(text.split())
    assert all(one.stop <= other.start for one, other in itertools.pairwise(spans))
    assert all(part == part.strip() and part for part in parts(text))


@pytest.mark.parametrize(
    ("sentence", "asked"),
    [
        ("Statins reduced muscle pain in nine of ten old mice.", True),
        ("Statins reduced pain.", False),
        ("This trial was registered as NCT01234567 before any patient was seen.", False),
        ("Copyright 2020 by the authors of this article, all rights reserved.", False),
        ("However, further studies are needed to confirm what these mice have shown.", False),
        ("word " * 60, False),
    ],
)
def test_boilerplate_and_what_is_too_short_or_long_is_not_asked_for(sentence: str, asked: bool) -> None:
    assert is_asked_for(sentence) is asked


def test_a_finding_says_what_was_found() -> None:
    assert is_finding("Pain was significantly lower with statins.")
    assert not is_finding("We treated ten mice for a week.")

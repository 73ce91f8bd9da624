import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retrieval.articles.normal_text import normal_form, text_digest

TEXTS = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from(" .[]<>&;/bipsu#x0AlLgGtT\u00b2\u2212\u200b")))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Aspirin in stroke.", "Aspirin in stroke"),
        ("[Aspirin bei Schlaganfall].", "Aspirin bei Schlaganfall."),
        ("[Aspirin bei Schlaganfall.]", "aspirin bei schlaganfall"),
        ("The BRCA1 Gene", "the brca1 gene"),
        ("two  words\n\tmore\u00a0words ", "two words more words"),
        ("kg/m\u00b2", "kg/m<sup>2</sup>"),
        ("10\u207b\u00b3 mol", "10<sup>-3</sup> mol"),
        ("H<sub>2</sub>O and <i>E. coli</i>", "H2O and E. coli"),
        ('<mml:math display="inline"><mml:mi>x</mml:mi></mml:math>', "x"),
        ("p &lt; 0.05 &amp; n &gt; 3", "p < 0.05 & n > 3"),
        ("p &amp;lt; 0.05", "p < 0.05"),
        ("&#x3b2;-catenin", "\u03b2-catenin"),
        ("&lt;i&gt;E. coli&lt;/i&gt;", "E. coli"),
        ("\ufb01brosis of the lung", "fibrosis of the lung"),
        ("\u00b5m", "\u03bcm"),
        ("1990\u20131995", "1990-1995"),
        ("\u2212 5 mV", "- 5 mV"),
        ("\u201cnormal\u201d people\u2019s", '"normal" people\'s'),
        ("a soft\u00adhyphen", "a softhyphen"),
        ("e\u0301tude", "\u00e9tude"),
    ],
)
def test_what_differs_in_typing_alone_is_the_same(one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("p < 0.05", "p > 0.05"),
        ("p < 0.05", "p 0.05"),
        ("if a <b and c> d", "if a d"),
        ("a 1.5 fold change", "a 15 fold change"),
        ("1 5", "15"),
        ("+5 mV", "-5 mV"),
        ("not effective", "effective"),
        ("\u03b1-synuclein", "\u03b2-synuclein"),
        ("10 mg (n = 5)", "10 mg n = 5"),
        ("one, two", "one two"),
        ("An abstract. And more.", "An abstract."),
        ("\u00e9tude", "etude"),
        ("R&D", "RD"),
        ("BACKGROUND: Old age.", "Old age."),
        ("", "x"),
    ],
)
def test_what_says_another_thing_is_not_the_same(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


@given(TEXTS)
@example("&amp;amp;lt;")
@example("<<i>i>")
@example("[ [x]. ]")
def test_the_normal_form_is_its_own(text: str) -> None:
    assert normal_form(normal_form(text)) == normal_form(text)


@given(st.lists(st.text("abcz\u00e4\u00df\u03c3\u0130.,-<>&()0123456789", min_size=1), max_size=9), st.data())
def test_case_and_white_space_do_not_matter(words: list[str], data: st.DataObject) -> None:
    spaces = data.draw(
        st.lists(st.sampled_from([" ", "  ", "\n", "\t\u00a0"]), min_size=len(words), max_size=len(words))
    )
    spaced = "".join(space + word for space, word in zip(spaces, words, strict=True))
    assert normal_form(spaced) == normal_form(" ".join(words))
    assert normal_form(spaced.upper()) == normal_form(" ".join(words).upper())
    assert normal_form(spaced.casefold()) == normal_form(spaced)


@given(st.text("abc <>=.,+-0123456789\u03b1", min_size=1), st.data())
def test_another_word_anywhere_is_seen(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    assert normal_form(f"{text[:at]} xyz {text[at:]}") != normal_form(text)


@given(TEXTS)
def test_composition_does_not_matter(text: str) -> None:
    assert normal_form(unicodedata.normalize("NFD", text)) == normal_form(unicodedata.normalize("NFC", text))


def test_a_digest_tells_title_from_abstract() -> None:
    assert text_digest("A title.", "An  abstract") == text_digest("[a title]", "AN ABSTRACT.")
    assert text_digest("a b", "c") != text_digest("a", "b c")
    assert text_digest("a", "") != text_digest("", "a")
    assert 0 < text_digest("a", "b") < 2**64

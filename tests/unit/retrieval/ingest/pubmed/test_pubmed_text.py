"""Text read from its bytes and from its tree."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retrieval.ingest.pubmed.pubmed_text import NotPlainError, attributes_of, plain_text, text_in, text_of
from tests.support.pubmed_plain import XML, agrees


@settings(max_examples=1000)
@given(XML)
@example(b"<<b>i</b>>x</i>")
@example(b"<i><i>a</i></i>")
@example(b"<i><b>a</i></b>")
def test_text_that_is_plain_is_that_of_its_tree(inner: bytes) -> None:
    agrees(plain_text, text_in, inner)


@settings(max_examples=300)
@given(st.text(st.characters(codec="utf-8", exclude_characters="<>&\r", exclude_categories=["Cc", "Cs"])))
def test_text_without_markup_is_plain(text: str) -> None:
    if not {"\ufffe", "\uffff"} & set(text):
        assert agrees(plain_text, text_in, text.encode())


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        ("kg/m<sup>2</sup>, <i>E.</i> <b>x</b>", "kg/m2, E. x"),
        ("p &lt; 5 &amp;lt; &quot;&apos;&gt;", "p < 5 &lt; \"'>"),
        (" a\n\t b\u2009\u00a0c ", "a b c"),
        ("", ""),
    ],
)
def test_common_forms_are_plain(xml: str, text: str) -> None:
    assert plain_text(xml.encode()) == text_of(xml.encode()) == text


@pytest.mark.parametrize("xml", ["&nbsp;", "&#233;", "a > b", "<b/>", "<i><b>x</b></i>", "<i>", "\uffff", "<x>y</x>"])
def test_what_only_the_parser_can_tell_is_not_plain(xml: str) -> None:
    with pytest.raises(NotPlainError):
        plain_text(xml.encode())


def test_attributes_are_those_of_xml() -> None:
    assert attributes_of[b' Label="A &amp; B\n" UI=""'] == {"Label": "A & B ", "UI": ""}

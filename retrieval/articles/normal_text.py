"""When are two editions of a title and an abstract the same text?

The normal form leaves out how a text is typed, and nothing that it says: Unicode's compatibility forms (NFKC), case,
white space, tags and entities left over from markup, kinds of dashes and quotation marks, characters that cannot be
seen, and at both ends periods and the brackets of translated titles. Words, digits, signs and the punctuation between
them stay, so "p < 0.05" is not "p > 0.05", and "1.5" is not "15".
"""

import html
import re
import unicodedata

from retrieval.articles.article import text_hash

# Whole tags only: "p <0.05 and q> 3" holds none.
_TAG = re.compile(r"</?(?:[biup]|em|strong|su[bp]|sc|br)\s*/?>|</?mml:[^<>]*>")
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{1,6}|#x[0-9a-f]{1,5});")
_ENDS = " .[]"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_QUOTES, _DOUBLE_QUOTES = "\u2018\u2019\u201a\u201b\u2032", "\u201c\u201d\u201e\u201f\u2033"
_UNSEEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
_SAME = {**dict.fromkeys(_DASHES, "-"), **dict.fromkeys(_QUOTES, "'"), **dict.fromkeys(_DOUBLE_QUOTES, '"')}
_TYPED = re.compile(f"[{_DASHES}{_QUOTES}{_DOUBLE_QUOTES}{_UNSEEN}]")


def text_digest(title: str, abstract: str) -> int:
    """Return 64 bits over the normal forms of both."""
    return text_hash(normal_form(title), normal_form(abstract))


def normal_form(text: str) -> str:
    """Return what is left of a text without the ways of typing it; the normal form of that is itself."""
    # What one step uncovers ("&amp;lt;", "<<i>i>") the next one takes.
    while (simpler := _step(text)) != text:
        text = simpler
    return text


def _step(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold()
    if "&" in text:
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    if "<" in text:
        text = _TAG.sub("", text)
    if not text.isascii():  # a third of the time of str.translate
        text = _TYPED.sub(lambda character: _SAME.get(character[0], ""), text)
    return " ".join(text.split()).strip(_ENDS)

"""What the readings of PubMed XML share: text, and what an element holds.

There are two readings. NLM writes PubMed XML in a plain form: start tags, end tags and text, attributes in double
quotes. What is plain is read from its bytes by patterns, several times as fast as from a tree. The patterns are strict:
what is not plain beyond doubt raises `NotPlainError`, and then the XML parser says what it means, or refuses it. Of the
bytes it is only taken for granted that they hold no control characters (retrieval/ingest/pubmed/stream.py sees to it).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from lxml import etree

REMEMBERED = 1 << 17
"""Distinct values of one kind that a process remembers: about 60 MB of MeSH headings, little of the others."""

Value = TypeVar("Value")
Attributes = dict[str, str]
Fields = dict[str, list[etree._Element]]
"""The children of an element by their tags."""

S = r"[ \t\r\n]*+"
TEXT = "([^<]*+)"
VISIBLE = "[!-%'-;=?-~]++"
"""ASCII without white space and what XML escapes."""
WORDS = "([ !-%'-;=?-~]*+)"
"""The same with spaces, or nothing."""
ATTRIBUTES = r'(?: (?!xmlns)[A-Za-z]+="[^"<>]*+")*+'
ATTRIBUTE = r'(?: (?!xmlns)[A-Za-z]+="[^"<>&\x80-\xff]*+")?+'
"""At most one, and of ASCII: it is XML whatever it says."""

_INLINE = re.compile("<(/?(?:i|b|u|sub|sup))>")
_REFERENCE = re.compile("&[^;]*;?")
_REFERENCES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}
_string = etree.XPath("string()", smart_strings=False)
"""Twice as fast as joining itertext()."""
_NOTHING = etree.Element("nothing")


class NotPlainError(Exception):
    """The bytes may be XML, but are not plain."""


class Memory(dict[bytes, Value]):
    """What was parsed, by the bytes it was parsed from: parses what it lacks, and forgets all when it is full."""

    def __init__(self, parse: Callable[[bytes], Value]) -> None:
        super().__init__()
        self._parse = parse

    def __missing__(self, xml: bytes) -> Value:
        value = self._parse(xml)
        if len(self) >= REMEMBERED:
            self.clear()
        self[xml] = value
        return value


attributes_of = Memory(lambda xml: {str(k): str(v) for k, v in etree.fromstring(b"<x%b/>" % xml).attrib.items()})
"""Attributes by the bytes between a tag's name and its end."""


def element_of(inner: bytes) -> etree._Element:
    """Return an element around XML of any form; etree.XMLSyntaxError if it is none."""
    element = etree.fromstring(b"<x>%b</x>" % inner)
    if b"xmlns" in inner:
        drop_namespaces(element)
    return element


def drop_namespaces(element: etree._Element) -> None:
    """Leave the text of elements that are of a namespace, as mathematics is: it is none of PubMed's."""
    foreign = set()
    for part in element.iter():
        foreign.update([part.tag] if part.tag[0] == "{" else [])
        for name in list(part.attrib):
            if name[0] == "{":
                del part.attrib[name]
    etree.strip_tags(element, *foreign)


def either(plain: Callable[[bytes], Value], tree: Callable[[etree._Element], Value]) -> Callable[[bytes], Value]:
    """Return how inner XML is read: in the first way if it is plain, else in the second."""

    def read(inner: bytes) -> Value:
        try:
            return plain(inner)
        except (NotPlainError, UnicodeDecodeError, etree.XMLSyntaxError):
            return tree(element_of(inner))

    return read


def up_to(tag: str) -> str:
    """Return the pattern of what is before an end tag. In comments and CDATA that might be text: they are not plain."""
    return f"[^<]*+(?:<(?!/{tag}>)[^!?<][^<]*+)*+"


def plain_text(xml: bytes) -> str:
    """Return the text of XML with no markup but simple inline one, white space folded."""
    return resolved(xml.decode())


def resolved(xml: str) -> str:
    """Return the same of XML that is decoded."""
    if "<" in xml:
        xml = _unmarked(xml)
    if ">" in xml:
        raise NotPlainError
    if "&" in xml:
        xml = _REFERENCE.sub(_character, xml)
    if not is_text(xml):
        raise NotPlainError
    return folded(xml)


def is_text(text: str) -> bool:
    """Return whether XML has all characters of a text that is free of control characters."""
    return text.isascii() or not ("\ufffe" in text or "\uffff" in text)


def folded(text: str) -> str:
    """Return a text with one space for any white space, and none at its ends."""
    # Of all white space only a space is printable, and most texts hold no other.
    odd = "\n" in text or "\t" in text or "\r" in text if text.isascii() else not text.isprintable()
    return " ".join(text.split()) if odd or "  " in text else text.strip()


def _unmarked(xml: str) -> str:
    texts_and_tags = _INLINE.split(xml)
    starts, ends = texts_and_tags[1::4], texts_and_tags[3::4]
    text = "".join(texts_and_tags[::2])
    if "<" in text or ["/" + tag for tag in starts] != ends:
        raise NotPlainError
    return text


def _character(reference: re.Match[str]) -> str:
    if (character := _REFERENCES.get(reference[0])) is None:
        raise NotPlainError
    return character


def items(pattern: re.Pattern[Any], xml: Any) -> Iterator[tuple[Any, ...]]:
    """Return an empty text and the groups of each match of a pattern; together they must cover all."""
    pieces = pattern.split(xml.lstrip())
    width = pattern.groups + 1
    if any(pieces[::width]):
        raise NotPlainError
    return zip(*[iter(pieces)] * width, strict=False)


def fields_of(element: etree._Element) -> Fields:
    """Return the children of an element by their tags."""
    fields: Fields = {}
    for child in element:
        tag = child.tag
        if tag in fields:
            fields[tag].append(child)
        else:
            fields[tag] = [child]
    return fields


def first(fields: Fields, tag: str) -> etree._Element:
    """Return the first child of a tag, or an empty element: what is absent reads as empty."""
    found = fields.get(tag)
    return found[0] if found else _NOTHING


def text_in(element: etree._Element) -> str:
    """Return the text of an element and of all within, white space folded."""
    text = str(_string(element)) if len(element) else element.text
    return folded(text) if text else ""


def texts_of(elements: Iterable[etree._Element]) -> list[str]:
    """Return the texts that are not empty."""
    return [text for element in elements if (text := text_in(element))]


def distinct(texts: Iterable[str]) -> list[str]:
    """Return each text once, in the order of their first."""
    return list(dict.fromkeys(texts))


text_of = either(plain_text, text_in)
"""The text of inner XML."""

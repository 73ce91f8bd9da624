"""PubMed XML as a stream of articles: memory is bounded by a group of records, whatever the size of the file.

A file is a flat list of records, so it is cut at their end tags, and each is read by itself: by patterns if it is
plain, else from its tree. Nothing is fetched and nothing expanded: the parser never sees the DOCTYPE, so there are no
entities but XML's own five, and libxml2's limits (10 MB a text, 256 levels) stay on.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from lxml import etree

from retrieval.articles.article import Rejects
from retrieval.ingest.pubmed.plain_record import plain_article
from retrieval.ingest.pubmed.tree_record import key_in, tree_article
from retrieval.ingest.sources import BROKEN_GZIP
from schemas.article import Article
from schemas.errors import InputError

ROOTS = (b"PubmedArticleSet", b"PubmedBookArticleSet")
RECORDS = (b"<PubmedArticle>", b"<PubmedBookArticle>", b"<DeleteCitation>")

BLOCK = 1 << 18
"""Bytes read at once."""
MAX_PROLOGUE = 64 << 10
"""Bytes before the root element: a declaration and a DOCTYPE. Text in UTF-16 has no end to them."""
MAX_RECORD = 32 << 20
"""Bytes. Papers of thousands of authors have a few million."""

_ENCODING = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([^\"']*)")


class _BrokenError(Exception):
    """The text is not what it should be, in a few words."""


class _Text:
    """A stream that is read in pieces, each up to a mark."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._buffer, self._at = stream, b"", 0
        self._began = False

    def take(self, mark: bytes) -> bytes:
        """Return what comes next, up to the end of the first `mark`."""
        searched = self._at
        while (found := self._buffer.find(mark, searched)) < 0:
            held = len(self._buffer) - self._at
            if held > MAX_RECORD:
                raise _BrokenError(f"no {mark.decode()} within {MAX_RECORD >> 20} MB")
            if not (block := self._stream.read(BLOCK)):
                raise _BrokenError("it breaks off" if self._began else "it is empty")
            _check_characters(block)
            self._buffer, self._at, self._began = self._buffer[self._at :] + block, 0, True
            searched = max(0, held - len(mark) + 1)
        start, self._at = self._at, found + len(mark)
        return self._buffer[start : self._at]

    def another(self) -> bool:
        """Return whether another document begins; without one the stream is read to its end: there is its checksum."""
        while not (rest := self._buffer[self._at :].lstrip()):
            if not (block := self._stream.read(BLOCK)):
                return False
            _check_characters(block)
            self._buffer, self._at = block, 0
        if not rest.startswith((b"<", BOM_UTF8)):
            raise _BrokenError(f"more after its end: {rest[:40].decode(errors='replace')}")
        return True


def _check_characters(block: bytes) -> None:
    """Refuse control characters but tab, line feed and carriage return, as XML does."""
    values = np.frombuffer(block, np.uint8)
    controls = np.count_nonzero(values < 32)
    if controls != np.count_nonzero(values == 10) and controls != sum(map(block.count, (b"\n", b"\t", b"\r"))):
        raise _BrokenError("a control character")


def read_pubmed_xml(stream: BinaryIO, name: str, rejects: Rejects) -> Iterator[Article]:
    """Read the records and deletions of a PubMed file, in file order; of several documents one after the other.

    stream: the XML, uncompressed; the caller opens a .gz. name: the file's name, for messages. Records that cannot be
    used are counted in `rejects`; those that have a PMID are yielded all the same, as `unusable`.

    Raises:
        InputError: perhaps after some articles: the stream breaks off, is not XML in UTF-8, or no PubmedArticleSet.
    """
    number, more = 0, True
    text = _Text(stream)
    try:
        while more:
            root = _begin(text, name)
            for record in _cut(text, root):
                articles = _articles_of(record, root, f"{name} record {number + 1:,}", rejects)
                number += 1
                yield from articles
            more = text.another()
    except (_BrokenError, etree.XMLSyntaxError) as error:
        fact = " ".join(str(error).split())
        raise InputError(f"{name} is not whole XML: {fact}, after record {number:,}; download it again") from error
    except BROKEN_GZIP as error:
        raise InputError(f"{name} is not whole gzip: {error}, after record {number:,}; download it again") from error


def _begin(text: _Text, name: str) -> bytes:
    """Read up to the first record, and return the start tag of the root."""
    prologue = b""
    while True:
        tag = text.take(b">").removeprefix(BOM_UTF8).strip()
        if tag.startswith(b"<") and tag[1:2].isalpha():
            break
        prologue += tag
        if len(prologue) > MAX_PROLOGUE:
            raise _BrokenError(f"no element within {MAX_PROLOGUE >> 10} kB")
    if (encoding := _ENCODING.search(prologue)) and encoding[1].lower() not in (b"utf-8", b"us-ascii"):
        raise _BrokenError(f"its encoding is {encoding[1].decode(errors='replace')}, not UTF-8")
    root = tag.strip(b"<>/").split()[0]
    if root not in ROOTS:
        found, wanted = root.decode(errors="replace"), ROOTS[0].decode()
        raise InputError(f"{name} is XML of <{found}>, not of <{wanted}>; give a PubMed file")
    if re.search(rb"\sxmlns\s*=", tag):
        raise InputError(f"{name}: <{root.decode()}> is of a namespace, PubMed's is of none; give a PubMed file")
    return tag


def _cut(text: _Text, root: bytes) -> Iterator[bytes]:
    """Yield the records one by one; their bytes follow each other in the file."""
    if root.endswith(b"/>"):
        return
    end_of_file = b"</%b>" % root.strip(b"<>").split()[0]
    while (tag := text.take(b">").strip()) != end_of_file:
        if tag not in RECORDS:
            raise _BrokenError(f"{tag[:40].decode(errors='replace')} where a record should begin")
        yield tag + text.take(b"</" + tag[1:])


def _articles_of(record: bytes, root: bytes, place: str, rejects: Rejects) -> list[Article]:
    if record.startswith(b"<DeleteCitation>"):
        return _deletions(_element(record, root), place, rejects)
    article = plain_article(record) or tree_article(_element(record, root))
    if article is None:
        rejects.add("no PMID", place)
        return []
    if article.unusable:
        rejects.add("neither title nor abstract", f"{place}, PMID {article.pmid}")
    return [article]


def _element(record: bytes, root: bytes) -> etree._Element:
    """Parse a record of any form. The root's start tag may declare namespaces."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True, collect_ids=False
    )
    end_of_root = b"</%b>" % root.strip(b"<>").split()[0]
    elements = etree.fromstring(b"%b%b%b" % (root, record, end_of_root), parser)
    if len(elements) != 1:
        raise _BrokenError("an end tag of a record with white space")
    return elements[0]


def _deletions(element: etree._Element, place: str, rejects: Rejects) -> list[Article]:
    found = []
    for pmid in element:
        if key := key_in(pmid):
            found.append(Article(pmid=key[0], version=key[1], deleted=True))
        else:
            rejects.add("deletion without a PMID", f"{place}, {(pmid.text or '')[:40]!r}")
    return found

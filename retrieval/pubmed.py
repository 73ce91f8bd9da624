"""PubMed XML as a stream: memory is bounded by a batch, whatever the size of the file.

The parser fetches nothing and expands nothing: no DTD, no network, entities stay as they are written.
libxml2's own limits (10 MB a text, 256 levels) stay on: they are what stops entities inside attributes.
"""

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
from lxml import etree

from retrieval.articles import Article, Rejects, article_batches
from retrieval.pubmed_record import parse_article, parse_deletions
from retrieval.sources import BROKEN_GZIP
from schemas.errors import InputError

ROOT = "PubmedArticleSet"
RECORD_TAGS = ("PubmedArticle", "PubmedBookArticle", "DeleteCitation")


def read_pubmed_xml(stream: BinaryIO, name: str, rejects: Rejects) -> Iterator[pa.RecordBatch]:
    """Read a PubMed file into batches of `ARTICLE_SCHEMA`, records and deletions in file order.

    stream: the XML, uncompressed; the caller opens a .gz. name: the file's name, for messages. Records that
    cannot be articles are counted in `rejects`. InputError, perhaps after some batches, when the stream
    breaks off, is not XML or is not a PubmedArticleSet.
    """
    return article_batches(_read_articles(stream, name, rejects))


def _read_articles(stream: BinaryIO, name: str, rejects: Rejects) -> Iterator[Article]:
    parser = etree.iterparse(
        stream,
        tag=RECORD_TAGS,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )
    number = 0
    try:
        for number, (_, element) in enumerate(parser, 1):
            yield from _articles_of(element, f"{name} record {number}", rejects)
            _free(element)
    except etree.XMLSyntaxError as error:
        fact = error.msg or "it is empty"
        raise InputError(f"{name} is not whole XML: {fact}, after record {number:,}; download it again") from error
    except BROKEN_GZIP as error:
        raise InputError(f"{name} is not whole gzip: {error}, after record {number:,}; download it again") from error
    if parser.root.tag != ROOT:
        raise InputError(f"{name} is XML of <{parser.root.tag}>, not of <{ROOT}>; give a PubMed file")


def _articles_of(element: etree._Element, place: str, rejects: Rejects) -> Iterator[Article]:
    if element.tag == "PubmedArticle":
        article = parse_article(element)
        if isinstance(article, Article):
            yield article
        else:
            rejects.add(article.reason, f"{place}, PMID {article.pmid}")
    elif element.tag == "DeleteCitation":
        yield from parse_deletions(element)
    else:
        rejects.add("book", place)


def _free(element: etree._Element) -> None:
    """Drop a finished record and what precedes it, the emptied siblings and the white space between."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]

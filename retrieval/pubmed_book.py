"""One PubmedBookArticle as an article: a book or a chapter on the NCBI Bookshelf."""

from lxml import etree

from retrieval.articles import Article, Term
from retrieval.pubmed_record import (
    abstract_of,
    agencies_of,
    authors_of,
    distinct,
    fields_of,
    first,
    ids_of,
    inner_xml,
    key_of,
    pages_of,
    text_of,
    texts_of,
)
from retrieval.pubmed_repeats import Lifted, date_of, dates


def parse_book(record: etree._Element, lifted: Lifted) -> Article | None:
    """Turn a PubmedBookArticle into an article; None if it has no PMID.

    A chapter has a title of its own, and the book's in the place of the journal's; a book has the book's for both.
    """
    about = fields_of(first(fields_of(record), "BookDocument"))
    if (pmid := key_of(first(about, "PMID"))) is None:
        return None
    book = fields_of(first(about, "Book"))
    book_title, vernacular = text_of(first(book, "BookTitle")), text_of(first(about, "VernacularTitle"))
    abstract, sections = abstract_of(first(about, "Abstract"))
    # A chapter's own date: that of its book may be twenty years older.
    published = date_of(first(about, "ContributionDate")) or date_of(first(book, "PubDate"))
    authors = about.get("AuthorList") or book.get("AuthorList", [])
    return Article(
        pmid=pmid[0],
        version=pmid[1],
        book=True,
        title=text_of(first(about, "ArticleTitle")) or vernacular or book_title,
        vernacular_title=vernacular or None,
        abstract=abstract,
        abstract_sections=sections,
        journal=book_title,
        volume=text_of(first(book, "Volume")) or None,
        pages=pages_of(first(about, "Pagination")),
        publication_date=published,
        year=int(published[:4]) if published else None,
        languages=texts_of(about.get("Language", ())),
        publication_types=[Term(found.get("UI"), text_of(found)) for found in about.get("PublicationType", ())],
        keywords=distinct(word for words in about.get("KeywordList", ()) for word in texts_of(words)),
        authors=[a for found in authors if found.get("Type") != "editors" for a in authors_of(found)],
        grant_agencies=agencies_of(first(about, "GrantList")),
        doi=ids_of(first(about, "ArticleIdList"))[0],
        date_revised=dates[inner_xml("DateRevised", lifted, about)],
    )

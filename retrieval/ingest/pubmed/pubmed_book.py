"""One PubmedBookArticle as an article: a book or a chapter on the NCBI Bookshelf."""

from lxml import etree

from retrieval.articles.article import Article, Term
from retrieval.ingest.pubmed.pubmed_authors import authors_in
from retrieval.ingest.pubmed.pubmed_record import agencies_in, as_text, ids_in, key_of, pages_in, sections_in
from retrieval.ingest.pubmed.pubmed_repeats import date_of
from retrieval.ingest.pubmed.pubmed_text import distinct, fields_of, first, text_in, texts_of


def parse_book(record: etree._Element) -> Article | None:
    """Turn a PubmedBookArticle into an article; None if it has no PMID.

    A chapter has a title of its own, and the book's in the place of the journal's; a book has the book's for both.
    """
    about = fields_of(first(fields_of(record), "BookDocument"))
    if (pmid := key_of(first(about, "PMID"))) is None:
        return None
    book = fields_of(first(about, "Book"))
    book_title, vernacular = text_in(first(book, "BookTitle")), text_in(first(about, "VernacularTitle"))
    abstract, sections = as_text(sections_in(first(about, "Abstract")))
    # A chapter's own date: that of its book may be twenty years older.
    published = date_of(first(about, "ContributionDate")) or date_of(first(book, "PubDate"))
    authors = about.get("AuthorList") or book.get("AuthorList", [])
    return Article(
        pmid=pmid[0],
        version=pmid[1],
        book=True,
        title=text_in(first(about, "ArticleTitle")) or vernacular or book_title,
        vernacular_title=vernacular or None,
        abstract=abstract,
        abstract_sections=sections,
        journal=book_title,
        volume=text_in(first(book, "Volume")) or None,
        pages=pages_in(first(about, "Pagination")),
        publication_date=published,
        year=int(published[:4]) if published else None,
        languages=texts_of(about.get("Language", ())),
        publication_types=[Term(found.get("UI"), text_in(found)) for found in about.get("PublicationType", ())],
        keywords=distinct(word for words in about.get("KeywordList", ()) for word in texts_of(words)),
        authors=[a for found in authors if found.get("Type") != "editors" for a in authors_in(found)],
        grant_agencies=agencies_in(first(about, "GrantList")),
        doi=ids_in(first(about, "ArticleIdList"))[0],
        date_revised=date_of(first(about, "DateRevised")),
    )

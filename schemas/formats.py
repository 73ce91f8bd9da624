"""What a segment holds, by its format: the files beside its manifest, and the columns of its articles.

A manifest says the format; those that are older than that field are of format 1. A store keeps what it has, so what a
format holds never changes, and what more is to be held makes another one. Segments of several formats are searched
together: what one of them lacks is not known of its articles, and a filter that needs it is refused.
"""

from typing import NamedTuple

from schemas.layout import (
    ARTICLES,
    AUTHOR_ROWS,
    AUTHORS,
    DAYS,
    DOI_ORDER,
    DOIS,
    LISTS,
    PMCID_ORDER,
    PMCIDS,
    PMID_ORDER,
    PMIDS,
    POSTINGS,
    ROWS,
    TERMS,
    TITLE_ORDER,
    TITLES,
    YEARS,
)


class Format(NamedTuple):
    """What a segment of one format holds."""

    files: tuple[str, ...]
    """Row r of each describes the same article; orders, postings and rows of authors name such rows."""
    columns: tuple[str, ...]
    """Of its articles. `authors` are names; the others are as in `ARTICLE_SCHEMA`."""


_FIRST = Format(
    (ARTICLES, LISTS, ROWS, PMIDS, PMID_ORDER, TITLES, TITLE_ORDER, DOIS, DOI_ORDER, YEARS, TERMS, POSTINGS),
    (
        "pmid",
        "doc_id",
        "version",
        "title",
        "abstract",
        "journal",
        "journal_abbreviation",
        "nlm_id",
        "publication_date",
        "year",
        "publication_types",
        "mesh",
        "languages",
        "doi",
        "retracted",
        "text_hash",
        "record_hash",
        "authors",
    ),
)
FORMATS = {
    1: _FIRST,
    2: Format(
        (*_FIRST.files, DAYS, AUTHORS, AUTHOR_ROWS, PMCIDS, PMCID_ORDER),
        (*_FIRST.columns, "issns", "pmcid", "corrections"),
    ),
}
NEWEST = max(FORMATS)
"""What new segments are written in. A merge has the lowest format of its parts."""

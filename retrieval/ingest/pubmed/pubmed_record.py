"""One PubmedArticle as an article: which element each field comes from.

The traps of the format are in the paths: a DOI is looked for among the record's own ids and never among its
references', an abstract first under Article (OtherAbstract may be another language), and text is taken with the text
of its inline markup, so that "kg/m<sup>2</sup>" becomes "kg/m2".

Children are visited in loops, each once: a search by path would cost several times as much.
"""

import re
from collections.abc import Iterable

from lxml import etree

from retrieval.articles.article import AbstractSection, Article, Correction, OtherAbstract
from retrieval.ingest.pubmed.pubmed_authors import authors_of
from retrieval.ingest.pubmed.pubmed_parts import Parts
from retrieval.ingest.pubmed.pubmed_repeats import (
    date_of,
    dates,
    journal_infos,
    journals,
    mesh_headings_of,
    publication_types,
    substances_of,
)
from retrieval.ingest.pubmed.pubmed_text import (
    ATTRIBUTE,
    ATTRIBUTES,
    TEXT,
    VISIBLE,
    Memory,
    NotPlainError,
    S,
    attributes_of,
    distinct,
    either,
    element_of,
    fields_of,
    first,
    items,
    plain_text,
    text_in,
    text_of,
    texts_of,
)

RETRACTED_PUBLICATION = "D016441"
RETRACTED_BY = ("RetractionIn", "RetractedandRepublishedIn")


_SECTION = re.compile(f"{S}<AbstractText({ATTRIBUTES})>".encode())
_RIGHTS = re.compile(f"{S}(?:<CopyrightInformation>{TEXT}</CopyrightInformation>{S})?+".encode())
_ARTICLE_ID = re.compile(f'<ArticleId IdType="([a-z]++)">({VISIBLE})</ArticleId>{S}'.encode())
_PAGES = re.compile(f"{S}(?:<MedlinePgn>{TEXT}</MedlinePgn>{S})?+".encode())
_KEYWORD = re.compile(f"<Keyword{ATTRIBUTE}>{TEXT}</Keyword>{S}".encode())


def parse_article(parts: Parts) -> Article | None:
    """Turn the parts of a PubmedArticle into an article; None if it has no PMID.

    Raises:
        etree.XMLSyntaxError: a part is no XML by itself.
    """
    pmid = _key(text_of(parts.pmid), attributes_of[parts.pmid_attributes].get("Version", "1"))
    titles = text_of(parts.title), text_of(parts.vernacular)
    abstract, sections = as_text(sections_of(parts.abstract))
    others = other_abstracts_of(parts.other_abstracts)
    issue = journals[parts.journal]
    nlm = journal_infos[parts.journal_info]
    electronic = _electronic_dates[parts.dates]
    published = issue.date or electronic
    types = publication_types[parts.types]
    corrections = [_correction(element) for element in element_of(parts.corrections)] if parts.corrections else []
    doi, pmcid = ids_of(parts.ids)
    article = Article(
        pmid=pmid[0] if pmid else 0,
        version=pmid[1] if pmid else 1,
        title=titles[0] or titles[1],
        vernacular_title=titles[1] or None,
        abstract=abstract or next((other.text for other in others if other.language == "eng" and other.text), ""),
        abstract_sections=sections,
        other_abstracts=others,
        journal=issue.title or nlm.abbreviation or "",
        journal_abbreviation=issue.abbreviation or nlm.abbreviation,
        issns=distinct(filter(None, (issue.issn, nlm.issn_linking))),
        nlm_id=nlm.nlm_id,
        volume=issue.volume,
        issue=issue.issue,
        pages=pages_of(parts.pagination),
        publication_date=published,
        year=int(published[:4]) if published else None,
        languages=_languages[parts.languages],
        publication_types=types,
        mesh=mesh_headings_of(parts.headings),
        keywords=distinct(keywords_of(parts.keywords)),
        substances=substances_of(parts.substances),
        authors=authors_of(parts.authors),
        grant_agencies=agencies_in(element_of(parts.grants)) if parts.grants else [],
        doi=doi or located_doi(parts.locations),
        pmcid=pmcid,
        corrections=corrections,
        retracted=any(term.ui == RETRACTED_PUBLICATION for term in types)
        or any(other.type in RETRACTED_BY for other in corrections),
        status=attributes_of[parts.attributes].get("Status"),
        date_completed=dates[parts.completed],
        date_revised=dates[parts.revised],
    )
    return article if pmid else None


def key_of(pmid: etree._Element) -> tuple[int, int] | None:
    """Return number and version of a PMID."""
    return _key((pmid.text or "").strip(), pmid.get("Version", "1"))


def _key(number: str, version: str) -> tuple[int, int] | None:
    if len(number) < 10 > len(version) and number.isdecimal() and version.isdecimal():
        return int(number), int(version)
    return None


def plain_sections(inner: bytes) -> list[AbstractSection]:
    """Read the inner XML of an Abstract as `sections_in` does; NotPlainError if it is not plain."""
    *items, rest = inner.split(b"</AbstractText>")
    if (rights := _RIGHTS.fullmatch(rest)) is None:
        raise NotPlainError
    text_of(rights[1] or b"")
    return [_plain_section(item) for item in items]


def _plain_section(item: bytes) -> AbstractSection:
    if (start := _SECTION.match(item)) is None:
        raise NotPlainError
    attributes = attributes_of[start[1]]
    return AbstractSection(attributes.get("Label") or None, attributes.get("NlmCategory"), text_of(item[start.end() :]))


def sections_in(abstract: etree._Element) -> list[AbstractSection]:
    """Return the sections of an abstract."""
    return [
        AbstractSection(part.get("Label") or None, part.get("NlmCategory"), text_in(part))
        for part in abstract
        if part.tag == "AbstractText"
    ]


def as_text(sections: list[AbstractSection]) -> tuple[str, list[AbstractSection]]:
    """Return the text of an abstract, and its sections if they have labels.

    A label may stand alone, and say all: `<AbstractText Label="LEVEL OF EVIDENCE: 4"/>`.
    """
    lines = [": ".join(filter(None, (section.label, section.text))) for section in sections]
    labelled = any(section.label for section in sections)
    return "\n".join(filter(None, lines)), sections if labelled else []


def other_abstracts_of(elements: bytes) -> list[OtherAbstract]:
    """Return the OtherAbstracts; the DTD's default language is English."""
    if not elements:
        return []
    return [
        OtherAbstract(other.get("Type"), other.get("Language", "eng"), as_text(sections_in(other))[0])
        for other in element_of(elements)
    ]


def plain_pages(inner: bytes) -> str | None:
    """Return MedlinePgn if Pagination holds nothing else."""
    if (found := _PAGES.fullmatch(inner)) is None:
        raise NotPlainError
    return plain_text(found[1] or b"") or None


def pages_in(pagination: etree._Element) -> str | None:
    """Return MedlinePgn, else first and last page."""
    fields = fields_of(pagination)
    if pages := text_in(first(fields, "MedlinePgn")):
        return pages
    return "-".join(texts_of([first(fields, "StartPage"), first(fields, "EndPage")])) or None


def agencies_in(grants: etree._Element) -> list[str]:
    """Return the agencies of the grants, each once."""
    return distinct(texts_of(part for grant in grants for part in grant if part.tag == "Agency"))


def _correction(element: etree._Element) -> Correction:
    """Return the kind of a CommentsCorrections, and the PMID of the other article if it has one."""
    key = key_of(first(fields_of(element), "PMID"))
    return Correction(element.get("RefType"), key[0] if key else None)


def plain_ids(inner: bytes) -> tuple[str | None, str | None]:
    """Return DOI and PMCID of an ArticleIdList."""
    found = {kind: value for _, kind, value in items(_ARTICLE_ID, inner)}
    doi, pmcid = found.get(b"doi"), found.get(b"pmc")
    return doi and doi.decode(), pmcid and pmcid.decode()


def ids_in(ids: Iterable[etree._Element]) -> tuple[str | None, str | None]:
    """Return DOI and PMCID of an ArticleIdList."""
    found = {element.get("IdType"): text for element in ids if (text := text_in(element))}
    return found.get("doi"), found.get("pmc")


def plain_keywords(inner: bytes) -> list[str]:
    """Return the texts of Keywords that are not empty."""
    return [word for _, xml in items(_KEYWORD, inner) if (word := plain_text(xml))]


def located_doi(elements: bytes) -> str | None:
    """Return the DOI among ELocationIDs."""
    if b"doi" not in elements:
        return None
    valid = (place for place in element_of(elements) if place.get("EIdType") == "doi" and place.get("ValidYN") != "N")
    return next(iter(texts_of(valid)), None)


sections_of = either(plain_sections, sections_in)
pages_of = either(plain_pages, pages_in)
ids_of = either(plain_ids, ids_in)
keywords_of = either(plain_keywords, texts_of)
_languages = Memory(lambda elements: texts_of(element_of(elements)))
_electronic_dates = Memory(lambda elements: next(map(date_of, element_of(elements)), None))

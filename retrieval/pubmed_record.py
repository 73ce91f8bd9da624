"""One PubmedArticle as an article: which element each field comes from.

The traps of the format are in the paths: a DOI is looked for among the record's own ids and never among its
references', an abstract first under Article (OtherAbstract may be another language), and text is taken with the text
of its inline markup, so that "kg/m<sup>2</sup>" becomes "kg/m2".

Children are visited in loops, each once: a search by path would cost several times as much.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from lxml import etree

from retrieval.articles import AbstractSection, Article, Author, Correction, OtherAbstract
from retrieval.pubmed_repeats import (
    Lifted,
    dates,
    journal_infos,
    journals,
    mesh_headings_of,
    publication_types,
    substances_of,
)

RETRACTED_PUBLICATION = "D016441"
RETRACTED_BY = ("RetractionIn", "RetractedandRepublishedIn")

_ORCID = re.compile(r"(\d{4})-?(\d{4})-?(\d{4})-?(\d{3}[\dX])")
_NAMES = {"LastName": 0, "ForeName": 1, "Initials": 2}
"""Elements of an Author that are plain text, and their places in `Author`."""
_string = etree.XPath("string()", smart_strings=False)
"""Twice as fast as joining itertext()."""
_NOTHING = etree.Element("nothing")

Fields = dict[str, list[etree._Element]]
"""The children of an element by their tags."""


def parse_article(record: etree._Element, lifted: Lifted) -> Article | None:
    """Turn a PubmedArticle into an article; None if it has no PMID.

    lifted: the parts of the record that `lift` took out. What stands in the element itself is read too.
    """
    parts = fields_of(record)
    about = fields_of(citation := first(parts, "MedlineCitation"))
    if (pmid := key_of(first(about, "PMID"))) is None:
        return None
    source = fields_of(first(about, "Article"))
    titles = text_of(first(source, "ArticleTitle")), text_of(first(source, "VernacularTitle"))
    abstract, sections = abstract_of(first(source, "Abstract"))
    others = [other_abstract(element) for element in about.get("OtherAbstract", ())]
    issue = journals[inner_xml("Journal", lifted, source)]
    nlm = journal_infos[inner_xml("MedlineJournalInfo", lifted, about)]
    published = issue.date or dates[inner_xml("ArticleDate", lifted, source)]
    types = publication_types[inner_xml("PublicationTypeList", lifted, source)]
    corrections = [correction(element) for element in first(about, "CommentsCorrectionsList")]
    doi, pmcid = ids_of(first(fields_of(first(parts, "PubmedData")), "ArticleIdList"))
    return Article(
        pmid=pmid[0],
        version=pmid[1],
        title=titles[0] or titles[1],
        vernacular_title=titles[1] or None,
        abstract=abstract or next((other.text for other in others if other.language == "eng" and other.text), ""),
        abstract_sections=sections,
        other_abstracts=others,
        journal=issue.title or nlm.abbreviation or "",
        journal_abbreviation=issue.abbreviation or nlm.abbreviation,
        issns=distinct(issn for issn in (issue.issn, nlm.issn_linking) if issn),
        nlm_id=nlm.nlm_id,
        volume=issue.volume,
        issue=issue.issue,
        pages=pages_of(first(source, "Pagination")),
        publication_date=published,
        year=int(published[:4]) if published else None,
        languages=texts_of(source.get("Language", ())),
        publication_types=types,
        mesh=mesh_headings_of(inner_xml("MeshHeadingList", lifted, about)),
        keywords=distinct(word for words in about.get("KeywordList", ()) for word in texts_of(words)),
        substances=substances_of(inner_xml("ChemicalList", lifted, about)),
        authors=authors_of(first(source, "AuthorList")),
        grant_agencies=agencies_of(first(source, "GrantList")),
        doi=doi or located_doi(source.get("ELocationID", ())),
        pmcid=pmcid,
        corrections=corrections,
        retracted=any(term.ui == RETRACTED_PUBLICATION for term in types)
        or any(other.type in RETRACTED_BY for other in corrections),
        status=citation.get("Status"),
        date_completed=dates[inner_xml("DateCompleted", lifted, about)],
        date_revised=dates[inner_xml("DateRevised", lifted, about)],
    )


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


def inner_xml(tag: str, lifted: Lifted, fields: Fields) -> bytes:
    """Return what stands inside a part that repeats, lifted or not."""
    if (inner := lifted.get(tag)) is not None:
        return inner
    return b"".join(etree.tostring(child) for child in fields[tag][0]) if tag in fields else b""


def text_of(element: etree._Element) -> str:
    """Return the text of an element and of all within, white space folded."""
    text = str(_string(element)) if len(element) else element.text
    if not text:
        return ""
    # Of all white space only a space is printable, and most texts hold no other.
    if text.isprintable() and "  " not in text:
        return text.strip()
    return " ".join(text.split())


def texts_of(elements: Iterable[etree._Element]) -> list[str]:
    """Return the texts that are not empty."""
    return [text for element in elements if (text := text_of(element))]


def distinct(texts: Iterable[str]) -> list[str]:
    """Return each text once, in the order of their first."""
    return list(dict.fromkeys(texts))


def key_of(pmid: etree._Element) -> tuple[int, int] | None:
    """Return number and version of a PMID."""
    number, version = (pmid.text or "").strip(), pmid.get("Version", "1")
    if len(number) < 10 > len(version) and number.isdecimal() and version.isdecimal():
        return int(number), int(version)
    return None


def abstract_of(abstract: etree._Element) -> tuple[str, list[AbstractSection]]:
    """Return the text of an abstract, and its sections if they have labels.

    A label may stand alone, and say all: `<AbstractText Label="LEVEL OF EVIDENCE: 4"/>`.
    """
    sections = [
        AbstractSection(part.get("Label") or None, part.get("NlmCategory"), text_of(part))
        for part in abstract
        if part.tag == "AbstractText"
    ]
    lines = [": ".join(filter(None, (section.label, section.text))) for section in sections]
    labelled = any(section.label for section in sections)
    return "\n".join(filter(None, lines)), sections if labelled else []


def other_abstract(other: etree._Element) -> OtherAbstract:
    """Return an OtherAbstract; the DTD's default language is English."""
    return OtherAbstract(other.get("Type"), other.get("Language", "eng"), abstract_of(other)[0])


def pages_of(pagination: etree._Element) -> str | None:
    """Return MedlinePgn, else first and last page."""
    fields = fields_of(pagination)
    if pages := text_of(first(fields, "MedlinePgn")):
        return pages
    return "-".join(texts_of([first(fields, "StartPage"), first(fields, "EndPage")])) or None


def authors_of(authors: etree._Element) -> list[Author]:
    """Return the persons and groups, without those whose names NLM marks as errors."""
    found: list[list[Any]] = []
    fields: list[Any] = [None] * 6 + [[]]
    # One flat loop over all within: twice as fast as loops in loops.
    for element in authors.iter():
        tag = element.tag
        if tag in _NAMES:
            fields[_NAMES[tag]] = element.text
        elif tag == "Affiliation":
            fields[-1].append(text_of(element))
        elif tag == "Author":
            fields = [None] * 6 + [[]]
            if element.get("ValidYN") != "N":
                found.append(fields)
        elif tag == "Suffix":
            fields[3] = text_of(element)
        elif tag == "CollectiveName":
            fields[4] = text_of(element)
        elif tag == "Identifier" and element.get("Source") == "ORCID":
            fields[5] = fields[5] or _orcid(element)
    return [Author(*fields) for fields in found]


def _orcid(identifier: etree._Element) -> str | None:
    """Return an author's ORCID, without the address and with the hyphens that some lack."""
    parent = identifier.getparent()
    if parent is None or parent.tag != "Author":
        return None
    found = _ORCID.search(identifier.text or "")
    return "-".join(found.groups()) if found else None


def agencies_of(grants: etree._Element) -> list[str]:
    """Return the agencies of the grants, each once."""
    return distinct(texts_of(part for grant in grants for part in grant if part.tag == "Agency"))


def correction(element: etree._Element) -> Correction:
    """Return the kind of a CommentsCorrections, and the PMID of the other article if it has one."""
    key = key_of(first(fields_of(element), "PMID"))
    return Correction(element.get("RefType"), key[0] if key else None)


def ids_of(ids: Iterable[etree._Element]) -> tuple[str | None, str | None]:
    """Return DOI and PMCID of an ArticleIdList."""
    found = {element.get("IdType"): text for element in ids if (text := text_of(element))}
    return found.get("doi"), found.get("pmc")


def located_doi(locations: Sequence[etree._Element]) -> str | None:
    """Return the DOI among ELocationIDs."""
    valid = (place for place in locations if place.get("EIdType") == "doi" and place.get("ValidYN") != "N")
    return next(iter(texts_of(valid)), None)

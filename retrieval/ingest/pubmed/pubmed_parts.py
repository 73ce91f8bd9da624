"""A PubmedArticle cut into the parts that are read: by one pattern if it is plain, else from its tree."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from lxml import etree

from retrieval.ingest.pubmed.pubmed_text import (
    ATTRIBUTE,
    ATTRIBUTES,
    VISIBLE,
    NotPlainError,
    S,
    drop_namespaces,
    element_of,
    fields_of,
    first,
    up_to,
)

LARGEST = 10_000_000
"""Bytes. The XML parser refuses longer texts, so longer records are left to it."""


class Parts(NamedTuple):
    """The parts of a PubmedArticle in the order of the DTD: inner XML, or all elements of parts that may repeat."""

    attributes: bytes = b""
    """Of MedlineCitation."""
    pmid_attributes: bytes = b""
    pmid: bytes = b""
    completed: bytes = b""
    revised: bytes = b""
    journal: bytes = b""
    title: bytes = b""
    pagination: bytes = b""
    locations: bytes = b""
    abstract: bytes = b""
    authors: bytes = b""
    languages: bytes = b""
    data_banks: bytes = b""
    grants: bytes = b""
    types: bytes = b""
    vernacular: bytes = b""
    dates: bytes = b""
    journal_info: bytes = b""
    substances: bytes = b""
    supplement: bytes = b""
    corrections: bytes = b""
    genes: bytes = b""
    headings: bytes = b""
    subjects: bytes = b""
    other_abstracts: bytes = b""
    keywords: bytes = b""
    notes: bytes = b""
    ids: bytes = b""
    objects: bytes = b""


def _one(tag: str, attributes: str = "") -> str:
    """Match an element, or none, and catch what is between its tags."""
    return f"(?:<{tag}{attributes}>({up_to(tag)})</{tag}>{S})?+"


def _all(*tags: str) -> str:
    """Match elements, each any number of times, and catch them all."""
    return "(" + "".join(f"(?:<{tag}{ATTRIBUTES}>{up_to(tag)}</{tag}>{S})*+" for tag in tags) + ")"


_RECORD = re.compile(
    "".join(
        (
            f"<PubmedArticle>{S}<MedlineCitation({ATTRIBUTES})>{S}",
            f"<PMID({ATTRIBUTES})>([0-9]++)</PMID>{S}",
            _one("DateCompleted"),
            _one("DateRevised"),
            f"<Article{ATTRIBUTE}>{S}",
            _one("Journal"),
            _one("ArticleTitle"),
            _one("Pagination"),
            f'((?:<ELocationID EIdType="[a-z]++" ValidYN="[YN]">{VISIBLE}</ELocationID>{S})*+)',
            _one("Abstract"),
            _one("AuthorList", ATTRIBUTE),
            _all("Language"),
            _all("DataBankList"),
            _one("GrantList", ATTRIBUTE),
            _one("PublicationTypeList"),
            _one("VernacularTitle"),
            _all("ArticleDate"),
            f"</Article>{S}",
            _one("MedlineJournalInfo"),
            _one("ChemicalList"),
            _all("SupplMeshList"),
            f"(?:<CitationSubset>[A-Z]*+</CitationSubset>{S})*+",
            _one("CommentsCorrectionsList"),
            _all("GeneSymbolList"),
            _one("MeshHeadingList"),
            _all("NumberOfReferences", "PersonalNameSubjectList", "OtherID"),
            _all("OtherAbstract"),
            _one("KeywordList", ATTRIBUTE),
            _all("CoiStatement", "SpaceFlightMission", "InvestigatorList", "GeneralNote"),
            f"</MedlineCitation>{S}<PubmedData>{S}",
            # Of dates of history and of references nothing is kept, and they are a third of an update file.
            f"(?:<History>{up_to('History')}</History>{S})?+",
            f"(?:<PublicationStatus>[a-z]*+</PublicationStatus>{S})?+",
            _one("ArticleIdList"),
            _all("ObjectList"),
            f"(?s:<ReferenceList>.*</ReferenceList>{S})?</PubmedData>{S}</PubmedArticle>",
        )
    ).encode()
)


def outline(record: bytes) -> Parts:
    """Cut a PubmedArticle into its parts.

    Raises:
        NotPlainError: it is not plain.
        etree.XMLSyntaxError: nor is a part XML that is not read.
    """
    if len(record) > LARGEST or (found := _RECORD.fullmatch(record)) is None:
        raise NotPlainError
    parts = Parts._make(found.groups(b""))
    if unread := parts.data_banks + parts.supplement + parts.genes + parts.subjects + parts.notes + parts.objects:
        element_of(unread)
    return parts


def parts_of(record: etree._Element) -> Parts:
    """Cut a PubmedArticle of any form into its parts."""
    drop_namespaces(record)
    about = fields_of(citation := first(fields_of(record), "MedlineCitation"))
    source = fields_of(first(about, "Article"))
    data = fields_of(first(fields_of(record), "PubmedData"))
    return Parts(
        attributes=_attributes_xml(citation),
        pmid_attributes=_attributes_xml(first(about, "PMID")),
        pmid=_inner_xml(first(about, "PMID")),
        completed=_inner_xml(first(about, "DateCompleted")),
        revised=_inner_xml(first(about, "DateRevised")),
        journal=_inner_xml(first(source, "Journal")),
        title=_inner_xml(first(source, "ArticleTitle")),
        pagination=_inner_xml(first(source, "Pagination")),
        locations=_outer_xml(source.get("ELocationID", ())),
        abstract=_inner_xml(first(source, "Abstract")),
        authors=_inner_xml(first(source, "AuthorList")),
        languages=_outer_xml(source.get("Language", ())),
        grants=_inner_xml(first(source, "GrantList")),
        types=_inner_xml(first(source, "PublicationTypeList")),
        vernacular=_inner_xml(first(source, "VernacularTitle")),
        dates=_outer_xml(source.get("ArticleDate", ())),
        journal_info=_inner_xml(first(about, "MedlineJournalInfo")),
        substances=_inner_xml(first(about, "ChemicalList")),
        corrections=_inner_xml(first(about, "CommentsCorrectionsList")),
        headings=_inner_xml(first(about, "MeshHeadingList")),
        other_abstracts=_outer_xml(about.get("OtherAbstract", ())),
        keywords=b"".join(map(_inner_xml, about.get("KeywordList", ()))),
        ids=_inner_xml(first(data, "ArticleIdList")),
    )


def _attributes_xml(element: etree._Element) -> bytes:
    bare = etree.Element("x")
    bare.attrib.update(element.attrib)
    return _outer_xml([bare])[2:-2]


def _outer_xml(elements: Iterable[etree._Element]) -> bytes:
    return b"".join([bytes(etree.tostring(element, encoding="utf-8", with_tail=False)) for element in elements])


def _inner_xml(element: etree._Element) -> bytes:
    xml = _outer_xml([element])
    return b"" if xml.endswith(b"/>") else xml[xml.index(b">") + 1 : xml.rindex(b"</")]

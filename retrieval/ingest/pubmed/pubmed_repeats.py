"""The parts of a PubMed record that repeat: dates, journals, publication types, substances, MeSH headings.

Half of a record's elements are drawn from NLM's vocabularies and calendars: the 288,334 MeSH headings of a baseline
file are 65,832 different ones, its 30,000 dates of revision 309. So each distinct one is parsed once, and remembered
by its bytes. Those that are often new have a pattern besides: journals with their issue, headings and their names.
"""

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from lxml import etree

from retrieval.articles.article import MeshHeading, Qualifier, Substance, Term
from retrieval.ingest.pubmed.pubmed_text import ATTRIBUTES, WORDS, Memory, NotPlainError, S, element_of, up_to

Value = TypeVar("Value")

_JOURNAL = re.compile(
    f'{S}(?:<ISSN IssnType="[A-Za-z]++">{WORDS}</ISSN>{S})?+<JournalIssue CitedMedium="[A-Za-z]++">{S}'
    f"(?:<Volume>{WORDS}</Volume>{S})?+(?:<Issue>{WORDS}</Issue>{S})?+"
    f"<PubDate>({up_to('PubDate')})</PubDate>{S}</JournalIssue>{S}"
    f"(?:<Title>{WORDS}</Title>{S})?+(?:<ISOAbbreviation>{WORDS}</ISOAbbreviation>{S})?+".encode()
)
_HEADING = re.compile(
    f"{S}<MeshHeading>{S}<DescriptorName({ATTRIBUTES}>[^<>]*+)</DescriptorName>{S}"
    f"(?:<QualifierName{ATTRIBUTES}>[^<>]*+</QualifierName>{S})*+".encode()
)
_QUALIFIER = re.compile(b"<QualifierName([^<]*+)<")
_NAME = re.compile(f' UI="([A-Z0-9]++)" MajorTopicYN="([YN])">{WORDS}'.encode())

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")


class Journal(NamedTuple):
    """What Journal says: the journal and the issue."""

    title: str = ""
    abbreviation: str | None = None
    issn: str | None = None
    volume: str | None = None
    issue: str | None = None
    date: str | None = None


class JournalInfo(NamedTuple):
    """What MedlineJournalInfo says."""

    abbreviation: str | None
    nlm_id: str | None
    issn_linking: str | None


def date_of(date: etree._Element) -> str | None:
    """Return an ISO date, as precise as a single day, month or year is given.

    A range ("1998 Dec-1999 Jan", in MedlineDate) and a season give the year in which they begin.
    """
    parts = {child.tag: child.text or "" for child in date}
    match = _YEAR.search(parts.get("Year") or parts.get("MedlineDate", ""))
    if match is None:
        return None
    month, day = _month(parts.get("Month", "")), _number(parts.get("Day", ""), 31)
    if month is None:
        return match[0]
    return f"{match[0]}-{month:02}" if day is None else f"{match[0]}-{month:02}-{day:02}"


def _journal(inner: bytes) -> Journal:
    """Return what Journal says."""
    if (found := _JOURNAL.fullmatch(inner)) is None:
        return _journal_in(element_of(inner))
    texts = [(text or b"").decode().strip() or None for text in found.group(1, 2, 3, 5, 6)]
    issn, volume, issue, title, abbreviation = texts
    return Journal(title or "", abbreviation, issn, volume, issue, dates[found[4]])


def _journal_in(journal: etree._Element) -> Journal:
    about = _leaves(journal)
    issue = next((child for child in journal if child.tag == "JournalIssue"), journal)
    within = _leaves(issue)
    published = next((date_of(child) for child in issue if child.tag == "PubDate"), None)
    return Journal(
        about.get("Title") or "",
        about.get("ISOAbbreviation"),
        about.get("ISSN"),
        within.get("Volume"),
        within.get("Issue"),
        published,
    )


def _journal_info(inner: bytes) -> JournalInfo:
    """Return what MedlineJournalInfo says."""
    about = _leaves(element_of(inner))
    return JournalInfo(about.get("MedlineTA"), about.get("NlmUniqueID"), about.get("ISSNLinking"))


def _publication_types(inner: bytes) -> tuple[Term, ...]:
    return tuple([Term(child.get("UI"), (child.text or "").strip()) for child in element_of(inner)])


def _item(xml: bytes) -> etree._Element:
    """Return the element of one item of a list."""
    found = element_of(xml)
    if len(found) != 1:
        raise NotPlainError
    return found[0]


def _substance(item: bytes) -> Substance:
    return _substance_in(_item(item + b"</Chemical>"))


def _substance_in(chemical: etree._Element) -> Substance:
    about = _leaves(chemical)
    ui = next((child.get("UI") for child in chemical if child.tag == "NameOfSubstance"), None)
    return Substance(ui, about.get("NameOfSubstance") or "", about.get("RegistryNumber"))


def _mesh_heading(item: bytes) -> MeshHeading:
    # A heading is often new, its descriptor and qualifiers seldom.
    if (found := _HEADING.fullmatch(item)) is None:
        return _mesh_heading_in(_item(item + b"</MeshHeading>"))
    ui, name, major = _names[found[1]]
    return MeshHeading(ui, name, major, tuple([_names[rest] for rest in _QUALIFIER.findall(item, found.end(1))]))


def _mesh_heading_in(heading: etree._Element) -> MeshHeading:
    names = {
        tag: [_name_in(child) for child in heading if child.tag == tag] for tag in ("DescriptorName", "QualifierName")
    }
    ui, name, major = next(iter(names["DescriptorName"]), Qualifier(None, "", False))
    return MeshHeading(ui, name, major, tuple(names["QualifierName"]))


def _name(rest: bytes) -> Qualifier:
    """Read a DescriptorName or QualifierName from after its name to the end of its text."""
    if (found := _NAME.fullmatch(rest)) is None:
        return _name_in(etree.fromstring(b"<x%b</x>" % rest))
    return Qualifier(found[1].decode(), found[3].decode().strip(), found[2] == b"Y")


def _name_in(element: etree._Element) -> Qualifier:
    return Qualifier(element.get("UI"), (element.text or "").strip(), element.get("MajorTopicYN") == "Y")


dates = Memory(lambda inner: date_of(element_of(inner)))
"""ISO dates by the inner XML of DateCompleted, DateRevised or ArticleDate."""
journals = Memory(_journal)
"""By the inner XML of Journal."""
journal_infos = Memory(_journal_info)
"""By the inner XML of MedlineJournalInfo."""
publication_types = Memory(_publication_types)
"""By the inner XML of PublicationTypeList."""
_substances = Memory(_substance)
_mesh_headings = Memory(_mesh_heading)
_names = Memory(_name)


def substances_of(inner: bytes) -> list[Substance]:
    """Return the substances of a ChemicalList."""
    return _listed(inner, "Chemical", _substances, _substance_in)


def mesh_headings_of(inner: bytes) -> list[MeshHeading]:
    """Return the headings of a MeshHeadingList."""
    return _listed(inner, "MeshHeading", _mesh_headings, _mesh_heading_in)


def _listed(inner: bytes, tag: str, memory: Memory[Value], read: Callable[[etree._Element], Value]) -> list[Value]:
    """Read a list item by item."""
    *items, rest = inner.split(f"</{tag}>".encode())
    if not rest.strip():
        try:
            return [memory[item] for item in items]
        except (NotPlainError, etree.XMLSyntaxError):
            pass
    return [read(child) for child in element_of(inner) if child.tag == tag]


def _leaves(element: etree._Element) -> dict[str, str | None]:
    """Return the texts of an element's children by their tags; of several, that of the first."""
    return {child.tag: (child.text or "").strip() or None for child in reversed(element)}


def _month(text: str) -> int | None:
    name = text.strip()[:3].lower()
    return _MONTHS.index(name) + 1 if name in _MONTHS else _number(text, 12)


def _number(text: str, most: int) -> int | None:
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) <= 2 and 1 <= int(text) <= most else None

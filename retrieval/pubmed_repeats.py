"""The parts of a PubMed record that repeat: dates, journals, publication types, substances, MeSH headings.

Half of a record's elements are drawn from NLM's vocabularies and calendars: the 288,334 MeSH headings of a baseline
file are 65,832 different ones, its 30,000 dates of revision 309. So these parts are lifted out of a record's bytes
before it is parsed, and each distinct one is parsed once. That is worth a third of the time of ingest.
"""

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from lxml import etree

from retrieval.articles import MeshHeading, Qualifier, Substance, Term

REMEMBERED = 1 << 17
"""Distinct parts of one kind that a process remembers: about 60 MB of MeSH headings, little of the others."""

_KEPT = (
    b"DateCompleted",
    b"DateRevised",
    b"Journal",
    b"PublicationTypeList",
    b"MedlineJournalInfo",
    b"ChemicalList",
    b"MeshHeadingList",
)
_REFERENCES = b"ReferenceList"
_DROPPED = (b"History", _REFERENCES)
"""Nothing of them is kept, and they are a third of an update file."""

_PART = re.compile(rb"<(%b)\s*>" % b"|".join((*_KEPT, *_DROPPED)))
_END_MARKS = {tag: b"</%b>" % tag for tag in (*_KEPT, *_DROPPED)}
_NAMES = {tag: tag.decode() for tag in _KEPT}
_AFTER_REFERENCES = re.compile(rb"</ReferenceList>\s*</PubmedData>")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")

Value = TypeVar("Value")
Lifted = dict[str, bytes]
"""The inner XML of the parts that were lifted out of one record, by tag."""


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


def lift(record: bytes) -> tuple[bytes, Lifted]:
    """Return a record without the parts that repeat and those that are dropped, and the former.

    A record with comments, CDATA or processing instructions, where a tag may be text, is left whole.
    """
    lifted: Lifted = {}
    if (b"!" in record and b"<!" in record) or (b"?" in record and b"<?" in record):
        return record, lifted
    pieces, done, skipped = [], 0, 0
    while found := _PART.search(record, max(done, skipped)):
        tag, start = found[1], found.end()
        end_mark = _END_MARKS[tag]
        # Lists of references follow each other and may hold others: all end with the last, and with it PubmedData.
        end = (record.rfind if tag == _REFERENCES else record.find)(end_mark, start)
        if end < 0 or (tag == _REFERENCES and not _AFTER_REFERENCES.match(record, end)):
            break  # not as PubMed writes it: the rest stays in the tree
        pieces.append(record[done : found.start()])
        if tag in _NAMES:
            lifted.setdefault(_NAMES[tag], record[start:end])
        done = end + len(end_mark)
        if tag == b"Journal":
            skipped = record.find(b"</AuthorList>", done)  # before it is nothing to lift, and most of the record
    pieces.append(record[done:])
    return b"".join(pieces), lifted


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
    element = _element(inner)
    about = _leaves(element)
    issue = next((child for child in element if child.tag == "JournalIssue"), element)
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
    about = _leaves(_element(inner))
    return JournalInfo(about.get("MedlineTA"), about.get("NlmUniqueID"), about.get("ISSNLinking"))


def _publication_types(inner: bytes) -> tuple[Term, ...]:
    return tuple([Term(child.get("UI"), (child.text or "").strip()) for child in _element(inner)])


def _substance(item: bytes) -> Substance:
    *_, chemical = _element(item + b"</Chemical>")
    about = _leaves(chemical)
    ui = next((child.get("UI") for child in chemical if child.tag == "NameOfSubstance"), None)
    return Substance(ui, about.get("NameOfSubstance") or "", about.get("RegistryNumber"))


def _mesh_heading(item: bytes) -> MeshHeading:
    # A heading is often new, its descriptor and qualifiers seldom.
    descriptor, *qualifiers = item.split(b"<QualifierName")
    ui, name, major = _names[descriptor.partition(b"<DescriptorName")[2]]
    return MeshHeading(ui, name, major, tuple([_names[qualifier] for qualifier in qualifiers]))


def _name(rest: bytes) -> Qualifier:
    """Read a DescriptorName or QualifierName from after its `<` and name to the end of the element."""
    attributes, _, _ = rest.partition(b"</")
    name = etree.fromstring(b"<x%b</x>" % attributes)
    return Qualifier(name.get("UI"), (name.text or "").strip(), name.get("MajorTopicYN") == "Y")


dates = Memory(lambda inner: date_of(_element(inner)))
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
    return [_substances[item] for item in _items(inner, b"</Chemical>")]


def mesh_headings_of(inner: bytes) -> list[MeshHeading]:
    """Return the headings of a MeshHeadingList."""
    return [_mesh_headings[item] for item in _items(inner, b"</MeshHeading>")]


def _items(inner: bytes, end_mark: bytes) -> list[bytes]:
    """Cut a list into its items, without their end tags."""
    if not inner:
        return []
    if b"/>" in inner or b" >" in inner:  # as PubMed does not write, but XML may
        inner = b"".join(etree.tostring(child, method="c14n") for child in _element(inner))
    items = inner.split(end_mark)
    if not items[-1].isspace():
        _element(items[-1])  # what is left is no item, but must be XML
    del items[-1]
    return items


def _leaves(element: etree._Element) -> dict[str, str | None]:
    """Return the texts of an element's children by their tags; of several, that of the first."""
    return {child.tag: (child.text or "").strip() or None for child in reversed(element)}


def _month(text: str) -> int | None:
    name = text.strip()[:3].lower()
    return _MONTHS.index(name) + 1 if name in _MONTHS else _number(text, 12)


def _number(text: str, most: int) -> int | None:
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) <= 2 and 1 <= int(text) <= most else None


def _element(inner: bytes) -> etree._Element:
    return etree.fromstring(b"<x>%b</x>" % inner)

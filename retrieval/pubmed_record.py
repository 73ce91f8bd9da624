"""One record of a PubMed file as an article: which element each field comes from.

The traps of the format are in the paths: a DOI is looked for among the record's own ids and never among
its references', an abstract only under Article (OtherAbstract may be another language), and text is taken
with the text of its inline markup, so that "kg/m<sup>2</sup>" becomes "kg/m2".
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, cast

from lxml import etree

from retrieval.articles import Article, MeshHeading, Qualifier

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_NUMBER = re.compile(r"[0-9]{1,9}")
_NOTHING = etree.Element("nothing")


class Unusable(NamedTuple):
    """A record that cannot be an article: why, and its PMID as written."""

    reason: str
    pmid: str


def parse_article(record: etree._Element) -> Article | Unusable:
    """Turn a PubmedArticle element into an article, or say why it is none."""
    citation = _child(record, "MedlineCitation")
    source = _child(citation, "Article")
    pmid = _child(citation, "PMID")
    key = _key(pmid)
    if key is None:
        return Unusable("no PMID", _text(pmid))
    # 53 of the 54 untitled records of pubmed21n1298 have a title in their own language only.
    title = _text(_child(source, "ArticleTitle")) or _text(_child(source, "VernacularTitle"))
    abstract = _abstract(_child(source, "Abstract"))
    if not title and not abstract:
        return Unusable("neither title nor abstract", _text(pmid))
    date, year = _publication_date(_child(source, "Journal/JournalIssue/PubDate"))
    return Article(
        pmid=key[0],
        version=key[1],
        title=title,
        abstract=abstract,
        journal=_text(_child(source, "Journal/Title")),
        publication_date=date,
        year=year,
        publication_types=_texts(source, "PublicationTypeList/PublicationType"),
        mesh=[_mesh_heading(heading) for heading in citation.iterfind("MeshHeadingList/MeshHeading")],
        languages=_texts(source, "Language"),
        doi=_doi(record, source),
    )


def parse_deletions(element: etree._Element) -> Iterator[Article]:
    """Turn a DeleteCitation element into one deleted article per PMID that it names."""
    for pmid in element.iterfind("PMID"):
        if key := _key(pmid):
            yield Article(pmid=key[0], version=key[1], deleted=True)


def _child(element: etree._Element, path: str) -> etree._Element:
    """Return the first element at the path, or an empty one: an absent element reads as an empty one."""
    found = element.find(path)
    return _NOTHING if found is None else found


def _text(element: etree._Element) -> str:
    # Not tostring(method="text"), five times faster: it would expand entities.
    text = "".join(cast("Iterator[str]", element.itertext())) if len(element) else element.text
    return " ".join(text.split()) if text else ""


def _texts(element: etree._Element, path: str) -> list[str]:
    return [text for found in element.iterfind(path) if (text := _text(found))]


def _key(pmid: etree._Element) -> tuple[int, int] | None:
    number, version = _text(pmid), pmid.get("Version", "1")
    if _NUMBER.fullmatch(number) and _NUMBER.fullmatch(version):
        return int(number), int(version)
    return None


def _abstract(abstract: etree._Element) -> str:
    lines = []
    for part in abstract.iterfind("AbstractText"):
        if text := _text(part):
            label = part.get("Label")
            lines.append(f"{label}: {text}" if label else text)
    return "\n".join(lines)


def _publication_date(date: etree._Element) -> tuple[str | None, int | None]:
    """Return the ISO date, as precise as a single day, month or year is given, and the year.

    A range ("1998 Dec-1999 Jan", in MedlineDate) and a season give the year in which they begin.
    """
    match = _YEAR.search(_text(_child(date, "Year")) or _text(_child(date, "MedlineDate")))
    if match is None:
        return None, None
    year, month, day = match[0], _month(_text(_child(date, "Month"))), _text(_child(date, "Day"))
    if month is None:
        return year, int(year)
    if not _NUMBER.fullmatch(day):
        return f"{year}-{month:02}", int(year)
    return f"{year}-{month:02}-{int(day):02}", int(year)


def _month(text: str) -> int | None:
    if text[:3].lower() in _MONTHS:
        return _MONTHS.index(text[:3].lower()) + 1
    return int(text) if _NUMBER.fullmatch(text) else None


def _mesh_heading(heading: etree._Element) -> MeshHeading:
    descriptor = _child(heading, "DescriptorName")
    qualifiers = [Qualifier(_text(q), _is_major(q)) for q in heading.iterfind("QualifierName")]
    return MeshHeading(_text(descriptor), _is_major(descriptor), qualifiers)


def _is_major(name: etree._Element) -> bool:
    return name.get("MajorTopicYN") == "Y"


def _doi(record: etree._Element, source: etree._Element) -> str | None:
    for article_id in record.iterfind("PubmedData/ArticleIdList/ArticleId"):
        if article_id.get("IdType") == "doi":
            return _text(article_id) or None
    for location in source.iterfind("ELocationID"):
        if location.get("EIdType") == "doi" and location.get("ValidYN") != "N":
            return _text(location) or None
    return None

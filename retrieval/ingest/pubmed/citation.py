"""What a PubmedArticle says, and the article that it becomes; how texts, keys and dates are put, whoever reads them.

The traps of the format are here and in the places where the readers look: an abstract may be in OtherAbstract, in
another language; a DOI is the record's own and never one of its references'; text is taken with the text of its inline
markup, so that "kg/m<sup>2</sup>" becomes "kg/m2".
"""

import html
import re
from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas import article as rows

NOT_AVAILABLE = ("[Not Available].", "[Not Available]")
"""What NLM writes for a title that nobody has translated."""
RETRACTED_PUBLICATION = "D016441"
RETRACTED_BY = ("RetractionIn", "RetractedandRepublishedIn")

WRITTEN_TWICE = 8
"""So many times over, at most."""

_CHARACTER = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_MARKUP = re.compile(r"<(i|b|u|em|strong|sub|sup)>([^<]*)</\1>")
_ORCID = re.compile(r"(\d{4})-?(\d{4})-?(\d{4})-?(\d{3}[\dX])")
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class Citation(NamedTuple):
    """What a PubmedArticle says, element by element, in the field order of `ARTICLE_SCHEMA`."""

    key: tuple[int, int]
    """PMID and its version."""
    title: str
    vernacular_title: str
    sections: Sequence[rows.AbstractSection]
    other_abstracts: Sequence[rows.OtherAbstract]
    issn: str | None
    volume: str | None
    issue: str | None
    issue_date: str | None
    journal: str | None
    iso_abbreviation: str | None
    medline_ta: str | None
    nlm_id: str | None
    issn_linking: str | None
    pages: str | None
    electronic_date: str | None
    languages: Sequence[str]
    publication_types: Sequence[rows.Term]
    mesh: Sequence[rows.MeshHeading]
    keywords: Sequence[str]
    substances: Sequence[rows.Substance]
    authors: Sequence[rows.Author]
    grant_agencies: Sequence[str]
    ids: Mapping[str | None, str]
    """Texts of PubmedData's ArticleIds by their IdType."""
    located_doi: str | None
    """Of an ELocationID."""
    corrections: Sequence[rows.Correction]
    status: str | None
    date_completed: str | None
    date_revised: str | None

    def article(self) -> rows.Article:
        """Return the article: for an element that is missing or empty, what another says in its place."""
        title = self.title or self.vernacular_title
        if title in NOT_AVAILABLE:
            title = self.vernacular_title or title
        abstract, sections = abstract_of(self.sections)
        if not abstract:
            abstract = first(other.text for other in self.other_abstracts if other.language == "eng") or ""
        published = self.issue_date or self.electronic_date
        retracted = RETRACTED_PUBLICATION in [term.ui for term in self.publication_types] or any(
            other.type in RETRACTED_BY for other in self.corrections
        )
        # By place, in the order of the schema: by name takes three times as long.
        return rows.Article(
            self.key[0], None, self.key[1], False, not (title or abstract), False,
            title, self.vernacular_title or None, abstract, sections, self.other_abstracts,
            self.journal or self.medline_ta or "", self.iso_abbreviation or self.medline_ta,
            distinct(filter(None, (self.issn, self.issn_linking))), self.nlm_id, self.volume, self.issue, self.pages,
            published, int(published[:4]) if published else None, self.languages, self.publication_types, self.mesh,
            distinct(self.keywords), self.substances, self.authors, distinct(self.grant_agencies),
            self.ids.get("doi") or self.located_doi, self.ids.get("pmc"), self.corrections, retracted,
            self.status, self.date_completed, self.date_revised,
        )  # fmt: skip


def folded(text: str) -> str:
    """Return a text with one space for any white space, and none at its ends, and nothing in it written twice."""
    if "&" in text or "</" in text:
        text = _written_once(text)
    # Of all white space only a space is printable, and most texts hold no other.
    odd = "\n" in text or "\t" in text or "\r" in text if text.isascii() else not text.isprintable()
    return " ".join(text.split()) if odd or "  " in text else text.strip()


def _written_once(text: str) -> str:
    """Return what a publisher meant by "&amp;#945;" and "&lt;i&gt;&amp;#945;&lt;/i&gt;", which XML reads but once."""
    for _ in range(WRITTEN_TWICE):
        meant = _MARKUP.sub(r"\2", _CHARACTER.sub(lambda character: html.unescape(character[0]), text))
        if meant == text:
            break
        text = meant
    return text


def distinct(texts: Iterable[str]) -> list[str]:
    """Return each text once, in the order of their first."""
    return list(dict.fromkeys(texts))


def first(texts: Iterable[str | None]) -> str | None:
    """Return the first text that is not empty."""
    return next(filter(None, texts), None)


def abstract_of(sections: Sequence[rows.AbstractSection]) -> tuple[str, Sequence[rows.AbstractSection]]:
    """Return the text of an abstract, and its sections if they have labels.

    A label may stand alone, and say all: `<AbstractText Label="LEVEL OF EVIDENCE: 4"/>`.
    """
    lines = [f"{label}: {text}" if label and text else label or text for label, _, text in sections]
    return "\n".join(filter(None, lines)), sections if any(section.label for section in sections) else []


def pages_of(start: str, end: str, medline: str) -> str | None:
    """Return the pages as MEDLINE abbreviates them, else the first and the last."""
    return medline or "-".join(filter(None, (start, end))) or None


def iso_date(year: str = "", month: str = "", day: str = "", medline: str = "") -> str | None:
    """Return an ISO date from the texts of its elements, as precise as a single day, month or year is given.

    A range ("1998 Dec-1999 Jan", in MedlineDate) and a season give the year in which they begin.
    """
    if (found := _YEAR.search(year or medline)) is None:
        return None
    name = month.strip()[:3].lower()
    month_number = _MONTHS.index(name) + 1 if name in _MONTHS else _number(month, 12)
    if month_number is None:
        return found[0]
    day_number = _number(day, monthrange(int(found[0]), month_number)[1])
    return f"{found[0]}-{month_number:02}" + (f"-{day_number:02}" if day_number else "")


def _number(text: str, most: int) -> int | None:
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) <= 2 and 1 <= int(text) <= most else None


def orcid_of(identifier: str) -> str | None:
    """Return an author's ORCID, without the address and with the hyphens that some lack."""
    found = _ORCID.search(identifier)
    return "-".join(found.groups()) if found else None

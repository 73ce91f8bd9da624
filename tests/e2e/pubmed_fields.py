"""The fields that pubray and pubmed_parser 0.5.1 both extract, each in one presentation: the same separators, and in
one value what the other has in one. Nothing here changes what a value says.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Value = str | list[str] | list[list[str]]
Row = dict[str, Any]

THEIR_OPTIONS = {"year_info_only": False, "author_list": True, "parse_downto_mesh_subterms": True}
"""With which pubmed_parser gives the most."""
BY_CATEGORY = {"nlm_category": True}
"""With which its abstracts have NLM's categories in place of the journal's labels, where there are any."""


class Field(NamedTuple):
    """A field that both extract, in one presentation."""

    theirs: Callable[[Row], Value]
    ours: Callable[[Row], Value]


def _abstract(sections: str) -> Callable[[Row], Value]:
    def ours(row: Row) -> Value:
        if not row["abstract_sections"]:
            return one_line(row["abstract"])
        parts = ([heading(s[sections]), s["text"]] for s in row["abstract_sections"])
        return " ".join(part for pair in parts for part in pair if part)

    return ours


def heading(label: str | None) -> str:
    """Return what pubmed_parser writes above a section."""
    return "" if label in (None, "UNASSIGNED") else str(label)


def one_line(text: str) -> str:
    """Put the sections, which stand on lines of their own, after each other."""
    return re.sub(r" *\n[ \n]*", " ", text).strip(" ") if "\n" in text else text.strip(" ")


def _terms(terms: Sequence[Row]) -> str:
    return "; ".join(f"{term['ui'] or ''}:{term['name']}" for term in terms)


def _mesh(headings: Sequence[Row]) -> str:
    return "; ".join(
        " / ".join(
            f"{ui or ''}:{name}{'*' if major else ''}"
            for ui, name, major in (
                (mesh["ui"], mesh["descriptor"], mesh["major"]),
                *((q["ui"], q["name"], q["major"]) for q in mesh["qualifiers"]),
            )
        )
        for mesh in headings
    )


def _plain(theirs: str, ours: str) -> Field:
    return Field(lambda row: row[theirs], lambda row: row[ours] or "")


def _of_authors(theirs: Callable[[Row], str], ours: Callable[[Row], str | None]) -> Field:
    return Field(
        lambda row: [theirs(author) for author in row["authors"]],
        lambda row: [ours(author) or "" for author in row["authors"]],
    )


FIELDS = {
    "pmid": Field(lambda row: row["pmid"], lambda row: str(row["pmid"])),
    "deleted": Field(lambda row: str(row["delete"]), lambda row: str(row["deleted"])),
    "title": _plain("title", "title"),
    "vernacular_title": _plain("vernacular_title", "vernacular_title"),
    "abstract": Field(lambda row: one_line(row["abstract"]), _abstract("label")),
    "abstract_by_category": Field(lambda row: one_line(row["abstract_by_category"]), _abstract("category")),
    "journal": _plain("journal", "journal"),
    "journal_abbreviation": _plain("medline_ta", "journal_abbreviation"),
    "issn": Field(lambda row: row["issn_linking"], lambda row: (row["issns"] or [""])[-1]),
    "nlm_id": _plain("nlm_unique_id", "nlm_id"),
    # pubmed_parser gives "volume(issue)".
    "issue": Field(
        lambda row: row["issue"], lambda row: f"{row['volume']}({row['issue'] or ''})" if row["volume"] else ""
    ),
    "pages": _plain("pages", "pages"),
    "publication_date": _plain("pubdate", "publication_date"),
    # What pubmed_parser gives with year_info_only.
    "year": Field(lambda row: row["pubdate"][:4], lambda row: str(row["year"] or "")),
    "languages": Field(lambda row: row["languages"], lambda row: ";".join(row["languages"])),
    "publication_types": Field(lambda row: row["publication_types"], lambda row: _terms(row["publication_types"])),
    "mesh": Field(lambda row: row["mesh_terms"], lambda row: _mesh(row["mesh"])),
    "substances": Field(lambda row: row["chemical_list"], lambda row: _terms(row["substances"])),
    "keywords": Field(lambda row: row["keywords"], lambda row: "; ".join(row["keywords"])),
    # pubray keeps the agencies of the grants, each once.
    "grant_agencies": Field(
        lambda row: list(dict.fromkeys(grant["agency"] for grant in row["grant_ids"])),
        lambda row: row["grant_agencies"],
    ),
    "last_names": _of_authors(lambda author: author["lastname"], lambda author: author["last_name"]),
    "fore_names": _of_authors(lambda author: author["forename"], lambda author: author["fore_name"]),
    "initials": _of_authors(lambda author: author["initials"], lambda author: author["initials"]),
    "orcids": _of_authors(lambda author: author["identifier"], lambda author: author["orcid"]),
    "affiliations": Field(
        lambda row: [[author["affiliation"]] if author["affiliation"] else [] for author in row["authors"]],
        lambda row: [author["affiliations"] for author in row["authors"]],
    ),
    "doi": _plain("doi", "doi"),
    "pmcid": _plain("pmc", "pmcid"),
}

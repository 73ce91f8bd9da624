"""What puts pubmed_parser's values right, one function per error: (its value, the PubmedArticle, the field) → the value
without that error, or as it is. None looks at pubray's value: all they know is in the XML, read plainly and slowly.

Functions named in comments are those of pubmed_parser's medline_parser.py. Which clause of the DTD each error breaks
stands in `pubmed_differences`.
"""

import html
import re
from collections.abc import Callable, Sequence
from typing import Any

from lxml import etree

from tests.e2e.pubmed_fields import heading, one_line

Element = etree._Element

PATHS = {
    "title": "MedlineCitation/Article/ArticleTitle",
    "vernacular_title": "MedlineCitation/Article/VernacularTitle",
    "abstract": "MedlineCitation/Article/Abstract/AbstractText",
    "abstract_by_category": "MedlineCitation/Article/Abstract/AbstractText",
}
KEYWORD_LIST = "MedlineCitation/KeywordList"


def _text(element: Element | None) -> str:
    return "" if element is None else "".join(str(text) for text in element.itertext())


def _if_seen(value: str, seen: str, meant: str) -> str:
    return meant if value == seen else value


def nested_markup(value: str, record: Element, field: str) -> str:
    for element in record.iterfind(PATHS[field]):
        # stringify_children takes text and tail of each child, not of a child's children.
        taken = (element.text or "") + "".join((child.text or "") + (child.tail or "") for child in element)
        seen, meant = one_line(taken.strip()), one_line(_text(element).strip())
        if seen != meant:
            value = value.replace(seen, meant, 1) if seen else value or meant
    return value


def lone_label(value: str, record: Element, field: str) -> str:
    # parse_article_info writes labels only where there are several AbstractText.
    sections = record.findall(PATHS[field])
    if len(sections) != 1 or not sections[0].get("Label"):
        return value
    text = one_line(_text(sections[0]).strip())
    label = heading(sections[0].get("Label" if field == "abstract" else "NlmCategory"))
    return _if_seen(value, text, f"{label} {text}".strip())


def english_other_abstract(value: str, record: Element, field: str) -> str:
    # No function looks at OtherAbstract.
    if value or record.find(PATHS[field]) is not None:
        return value
    others = record.iterfind("MedlineCitation/OtherAbstract")
    english = [other for other in others if other.get("Language", "eng") == "eng"]
    return " ".join(_text(part) for part in english[0].iterfind("AbstractText")) if english else value


def vernacular_for_title(value: str, record: Element, field: str) -> str:
    return value or _text(record.find(PATHS["vernacular_title"]))


def major_descriptor(value: str, record: Element, field: str) -> str:
    # parse_mesh_terms_with_subs asks MeshHeading for MajorTopicYN.
    headings = record.findall("MedlineCitation/MeshHeadingList/MeshHeading")
    return _if_seen(value, _starred(headings, "QualifierName"), _starred(headings, "QualifierName", "DescriptorName"))


def _starred(headings: Sequence[Element], *tags: str) -> str:
    return "; ".join(
        " / ".join(
            f"{name.get('UI')}:{name.text}{'*' if name.tag in tags and name.get('MajorTopicYN') == 'Y' else ''}"
            for name in mesh
        )
        for mesh in headings
    )


def keyword_markup(value: str, record: Element, field: str) -> str:
    # parse_keywords takes the text before the first child, and no keyword that begins with one.
    keywords = record.findall(f"{KEYWORD_LIST}[1]/Keyword")
    seen = "; ".join(keyword.text for keyword in keywords if keyword.text is not None)
    return _if_seen(value, seen, "; ".join(map(_text, keywords)))


def later_keyword_lists(value: str, record: Element, field: str) -> str:
    # parse_keywords finds one KeywordList.
    first, every = record.iterfind(f"{KEYWORD_LIST}[1]/Keyword"), record.iterfind(f"{KEYWORD_LIST}/Keyword")
    return _if_seen(value, "; ".join(map(_text, first)), "; ".join(map(_text, every)))


def doi_before_another_id(value: str, record: Element, field: str) -> str:
    # parse_doi goes on after it found the DOI, and the next ELocationID makes it empty again.
    places = record.iterfind("MedlineCitation/Article/ELocationID[@EIdType='doi']")
    return value or next((_text(place).strip() for place in places if place.get("ValidYN", "Y") == "Y"), "")


def pmcid_among_article_ids(value: str, record: Element, field: str) -> str:
    # parse_other_id looks for it in OtherID.
    return value or _text(record.find("PubmedData/ArticleIdList/ArticleId[@IdType='pmc']"))


def iso_abbreviation(value: str, record: Element, field: str) -> str:
    medline = _text(record.find("MedlineCitation/MedlineJournalInfo/MedlineTA"))
    return _if_seen(value, medline, _text(record.find("MedlineCitation/Article/Journal/ISOAbbreviation")) or medline)


def issn_of_the_issue(value: str, record: Element, field: str) -> str:
    return value or _text(record.find("MedlineCitation/Article/Journal/ISSN"))


def by_author(change: Callable[[Any, Element], Any]) -> Callable[[list[Any], Element, str], list[Any]]:
    def amend(value: list[Any], record: Element, field: str) -> list[Any]:
        authors = record.findall("MedlineCitation/Article/AuthorList/Author")
        return [change(item, author) for item, author in zip(value, authors, strict=True)]

    return amend


def orcid_form(value: str, author: Element) -> str:
    characters = re.sub(r"[^0-9X]", "", value)
    return "-".join(re.findall("....", characters)) if len(characters) == 16 else value


def cut_orcid(value: str, author: Element) -> str:
    return "" if len(re.sub(r"[^0-9X]", "", value)) < 16 else value


def later_affiliations(value: list[str], author: Element) -> list[str]:
    # parse_author_affiliation finds one AffiliationInfo.
    every = [_text(affiliation) for affiliation in author.iterfind("AffiliationInfo/Affiliation")]
    return every if value == every[:1] else value


def written_twice(value: Any, record: Element, field: str) -> Any:
    if isinstance(value, list):
        return [written_twice(item, record, field) for item in value]
    while (meant := re.sub(r"<(sup|sub|i|b|u)>([^<]*)</\1>", r"\2", html.unescape(value))) != value:
        value = meant
    return value


def white_space(value: Any, record: Element, field: str) -> Any:
    if isinstance(value, list):
        return [white_space(item, record, field) for item in value]
    if field == "keywords":
        return "; ".join(" ".join(keyword.split()) for keyword in value.split("; "))
    return " ".join(value.split())

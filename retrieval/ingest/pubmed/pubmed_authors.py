"""The authors of a record: half of an update file is their names and affiliations."""

import re
from typing import Any

from lxml import etree

from retrieval.articles.article import Author
from retrieval.ingest.pubmed.pubmed_text import TEXT, NotPlainError, S, either, is_text, items, resolved, text_in

_NAMES = {"LastName": 0, "ForeName": 1, "Initials": 2}
"""Elements of an Author that are plain text, and their places in `Author`."""
_ORCID = re.compile(r"(\d{4})-?(\d{4})-?(\d{4})-?(\d{3}[\dX])")
_NAME = r"([^<>&\r]++)"
_AFFILIATION = f"<AffiliationInfo>{S}<Affiliation>{TEXT}</Affiliation>{S}</AffiliationInfo>{S}"
_AUTHOR = re.compile(
    rf'<Author(?: ValidYN="([YN])")?+(?: EqualContrib="[YN]")?+>{S}'
    rf"(?:<LastName>{_NAME}</LastName>{S})?+(?:<ForeName>{_NAME}</ForeName>{S})?+"
    rf"(?:<Initials>{_NAME}</Initials>{S})?+(?:<Suffix>{TEXT}</Suffix>{S})?+"
    rf"(?:<CollectiveName>{TEXT}</CollectiveName>{S})?+"
    rf'(?:<Identifier Source="ORCID">{_NAME}</Identifier>{S})?+'
    rf"((?:{_AFFILIATION.replace('(', '(?:')})*+)</Author>{S}"
)
_AFFILIATIONS = re.compile(_AFFILIATION)


def plain_authors(inner: bytes) -> list[Author]:
    """Read the inner XML of an AuthorList as `authors_in` does; NotPlainError if it is not plain."""
    xml = inner.decode()
    if not is_text(xml):
        raise NotPlainError
    affiliations: dict[str, list[str]] = {}  # those of one paper are often the same
    found = []
    for _, valid, last, fore, initials, suffix, group, identifier, places in items(_AUTHOR, xml):
        if places not in affiliations:
            affiliations[places] = [resolved(place) for place in _AFFILIATIONS.findall(places)]
        author = Author(
            last,
            fore,
            initials,
            suffix and resolved(suffix),
            group and resolved(group),
            _orcid(identifier) if identifier else None,
            affiliations[places],
        )
        if valid != "N":
            found.append(author)
    return found


def authors_in(authors: etree._Element) -> list[Author]:
    """Return the persons and groups, without those whose names NLM marks as errors."""
    found: list[list[Any]] = []
    fields: list[Any] = [None] * 6 + [[]]
    # One flat loop over all within: twice as fast as loops in loops.
    for element in authors.iter():
        tag = element.tag
        if tag in _NAMES:
            fields[_NAMES[tag]] = element.text
        elif tag == "Affiliation":
            fields[-1].append(text_in(element))
        elif tag == "Author":
            fields = [None] * 6 + [[]]
            if element.get("ValidYN") != "N":
                found.append(fields)
        elif tag == "Suffix":
            fields[3] = text_in(element)
        elif tag == "CollectiveName":
            fields[4] = text_in(element)
        elif tag == "Identifier" and element.get("Source") == "ORCID" and _is_author(element.getparent()):
            fields[5] = fields[5] or _orcid(element.text or "")
    return [Author(*fields) for fields in found]


def _is_author(element: etree._Element | None) -> bool:
    return element is not None and element.tag == "Author"


def _orcid(identifier: str) -> str | None:
    """Return an author's ORCID, without the address and with the hyphens that some lack."""
    found = _ORCID.search(identifier)
    return "-".join(found.groups()) if found else None


authors_of = either(plain_authors, authors_in)
"""The authors by the inner XML of AuthorList."""

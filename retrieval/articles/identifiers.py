"""The identifiers that people paste: PMIDs, PMCIDs and DOIs; bare, after their names, as addresses, several at once."""

import re
from typing import Literal, NamedTuple, cast
from urllib.parse import unquote

Kind = Literal["id", "pmcid", "doi"]
"""A PMID is an id."""

_NCBI = r"(?:www\.)?ncbi\.nlm\.nih\.gov"
_EUROPE = r"(?:www\.)?europepmc\.org"
_NUMBER = r"[1-9][0-9]{0,8}"
_PMID = rf"(?P<id>{_NUMBER})(?:\[(?:uid|pmid)\])?"
_PMID_SITES = "|".join(
    [
        r"pubmed\.ncbi\.nlm\.nih\.gov",
        rf"{_NCBI}/(?:(?:m/)?pubmed|pmc/articles/pmid)",
        rf"{_EUROPE}/(?:article|abstract)/MED",
    ]
)
_PMC_SITES = "|".join(
    [
        r"pmc\.ncbi\.nlm\.nih\.gov/articles",
        rf"{_NCBI}/pmc/articles",
        rf"{_EUROPE}/(?:articles|(?:article|abstract)/PMC)",
    ]
)
_DOI_PREFIX = r"(?:doi:?|(?:info|urn):doi[:/]|(?:https?://)?(?:www\.)?(?:dx\.)?doi\.org/)*"
_REST = r"(?:[/?#&]\S*)?"  # of an address
_OPENING, _CLOSING = r"[(\[{<\"']*", r"[.,;:)\]}>\"'/]*"

_PATTERNS = [
    re.compile(rf"{_OPENING}{pattern}{_CLOSING}", re.IGNORECASE)
    for pattern in (
        rf"(?:pmid:?)?{_PMID}",
        rf"(?:https?://)?(?:{_PMID_SITES})/(?:\?term=)?{_PMID}{_REST}",
        rf"(?:(?:pmcid:?)?PMC:?|pmcid:?)(?P<pmcid>{_NUMBER})(?:\.[0-9]+)?",
        rf"(?:https?://)?(?:{_PMC_SITES})/(?:PMC)?(?P<pmcid>{_NUMBER}){_REST}",
        rf"{_DOI_PREFIX}(?P<doi>10\.[0-9]{{4,9}}(?:\.[0-9]+)*(?:/|%2F)\S+)",
    )
]
# White space between an identifier and its name, as in "PubMed PMID: 17".
_NAMED = re.compile(
    r"\b(?:pubmed\s+)?(pmid|pmcid|pmc|doi)\s*[:=]?\s+(?=[1-9]|PMC[0-9]|10\.|(?:https?://)?(?:dx\.)?doi\.org)",
    re.IGNORECASE,
)
# A comma or semicolon may be part of a DOI ("…3.0.CO;2"): it ends one only before what plainly begins another one.
_BETWEEN = re.compile(
    r"\s+|[,;]+(?=https?://|(?:www|pubmed|pmc|ncbi|europepmc|dx|doi)\.|10\.[0-9]{4}|(?:doi|pmid|pmcid|PMC)\W*[0-9P])",
    re.IGNORECASE,
)
# One number with separators, and the year in brackets behind an article.
_NOT_ONE = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+|[(\[][0-9]{4}[)\]]")
_MOST_ENDS = 5
"""Signs at the end of a DOI that may not be part of it."""


class Identifier(NamedTuple):
    """One article's identifier. It has several forms where it may be read in several ways, the likeliest first."""

    kind: Kind
    forms: tuple[str, ...]
    """Of a PMID or PMCID the digits."""


def identifiers(text: str) -> list[Identifier]:
    """Return the identifiers that a text consists of, in their order; none if there is anything else in it.

    Up to 9 digits alone are a PMID.
    """
    words = [word for word in _BETWEEN.split(_NAMED.sub(r"\1:", text)) if word.strip(",;")]
    found: list[Identifier] = []
    for word in words:
        if _NOT_ONE.fullmatch(word):
            return []
        whole = _identifier(word) or _identifier(unquote(word))
        parts = [whole] if whole else [_identifier(part) for part in re.findall("[^,;]+", word)]
        if None in parts:
            return []
        found += filter(None, parts)
    return list(dict.fromkeys(found))


def _identifier(word: str) -> Identifier | None:
    for pattern in _PATTERNS:
        if match := pattern.fullmatch(word):
            [(kind, value)] = match.groupdict().items()
            return Identifier(cast("Kind", kind), _doi_forms(value) if kind == "doi" else (value,))
    return None


def _doi_forms(doi: str) -> tuple[str, ...]:
    """Return a DOI as it is, decoded, without what ends a sentence or quotes it, without the rest of an address."""
    plain = unquote(doi)
    ends = len(plain) - len(re.sub(rf"{_CLOSING}$", "", plain))
    shorter = [plain[: len(plain) - n] for n in range(min(ends, _MOST_ENDS) + 1)]
    address = re.sub(rf"(?:[?#]\S*|{_CLOSING})$", "", shorter[-1])
    return tuple(dict.fromkeys([doi, *shorter, address]))

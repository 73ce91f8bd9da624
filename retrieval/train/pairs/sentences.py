"""Sentences of an abstract: where each is, and which of them are worth asking for."""

import re
from collections.abc import Iterator

from schemas.pair import Span

WORDS = range(8, 46)
"""Of a sentence that may be a query: shorter ones say too little, longer ones are lists."""
_END = re.compile(r"[.!?][\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])|\n+")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|vs|cf|al|ca|approx|fig|figs|eq|ref|no|nos|vol|dr|prof|st|sp|spp|subsp|var|resp|inc|etc|[A-Za-z])"
    r"|\bp)\.$",
    re.IGNORECASE,
)
_BOILERPLATE = re.compile(
    r"©|copyright|all rights reserved|\bNCT\d{8}\b|\bISRCTN\d+|\bCRD\d+|registered|registration|supplementary|"
    r"further (?:research|studies|investigations?|work|trials) (?:is|are|may be|should be) "
    r"(?:needed|required|warranted)|"
    r"(?:are|is) (?:discussed|presented|described|reviewed)\.?$|trial registry|clinicaltrials",
    re.IGNORECASE,
)
_FINDING = re.compile(
    r"significant|increas|decreas|reduc|higher|lower|greater|associated|correlat|show(?:ed|n|s)\b|found\b|reveal|"
    r"demonstrat|observed|indicat|suggest|inhibit|improv|caus|effect|result",
    re.IGNORECASE,
)


def sentences(text: str) -> Iterator[Span]:
    """Yield where the sentences of a text are, in their order, without the white space between them."""
    start = 0
    for end in _END.finditer(text):
        if "\n" in end[0] or not _ABBREVIATION.search(text[max(start, end.start() - 12) : end.start() + 1]):
            yield from _trimmed(text, start, end.end())
            start = end.end()
    yield from _trimmed(text, start, len(text))


def _trimmed(text: str, start: int, stop: int) -> Iterator[Span]:
    part = text[start:stop]
    if kept := part.strip():
        begin = start + len(part) - len(part.lstrip())
        yield Span(begin, begin + len(kept))


def is_asked_for(sentence: str) -> bool:
    """Return whether a sentence says something of its own article, at a length at which people ask."""
    return len(sentence.split()) in WORDS and not _BOILERPLATE.search(sentence)


def is_finding(sentence: str) -> bool:
    """Return whether it seems to say what was found."""
    return _FINDING.search(sentence) is not None

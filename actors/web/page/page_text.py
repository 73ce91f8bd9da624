"""How the page writes the texts of an article: marked words, the beginning of an abstract, authors, a date."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

FEW = 4
"""Up to so many authors are all named, of more the first three."""
WHOLE = 420
"""Up to so many characters an abstract is shown whole; of a longer one the sentences that end within `LEAD`, or where
none ends after `LEAST_LEAD`, as many words."""
LEAD = 330
LEAST_LEAD = 120

_MONTHS = re.findall(r"\w+", "January February March April May June July August September October November December")
_LABEL = re.compile(r"[A-Z][A-Z0-9 ,/&()'’-]{1,60}:(?= )")
_LINE = re.compile(r"[^\n]+")
_SENTENCE_END = re.compile(r"[.!?][)\]\"'”’]*\s+(?=[A-Z0-9(\[\"'“])|\n")

Spans = Sequence[tuple[int, int]]


class Piece(NamedTuple):
    """A stretch of text: as it is, a marked word, or the label of a section."""

    text: str
    kind: Literal["text", "mark", "label"] = "text"


Line = list[Piece]


def pieces(text: str, marks: Spans, begin: int, end: int) -> Line:
    """Return text[begin:end] in pieces; marks are [first, last + 1] in the whole text, ascending, apart."""
    line, at = [], begin
    for first, last in marks:
        first, last = max(first, begin), min(last, end)
        if first < last:
            line += [Piece(text[at:first]), Piece(text[first:last], "mark")]
            at = last
    line.append(Piece(text[at:end]))
    return [piece for piece in line if piece.text]


def lines(text: str, marks: Spans, begin: int, end: int) -> list[Line]:
    """Return the lines of text[begin:end] that are not blank; a section's has its label first."""
    found = []
    for line in _LINE.finditer(text, begin, end):
        label = _LABEL.match(text, *line.span()) if line.start() == 0 or text[line.start() - 1] == "\n" else None
        start = label.end() if label else line.start()
        found.append(([Piece(label[0], "label")] if label else []) + pieces(text, marks, start, line.end()))
    return [line for line in found if any(piece.text.strip() for piece in line)]


def abstract(text: str, marks: Spans) -> tuple[list[Line], list[Line]]:
    """Return how an abstract begins, and the rest of it."""
    end, complete = _lead_end(text)
    lead = lines(text, marks, 0, end)
    if lead and not complete:
        lead[-1].append(Piece("…"))
    return lead, lines(text, marks, end, len(text))


def few_authors(authors: Sequence[str]) -> str:
    """Name the first authors."""
    return ", ".join(authors) if len(authors) <= FEW else ", ".join([*authors[: FEW - 1], "et al."])


def long_date(date: str) -> str:
    """Return a date as it is read, "7 June 2021", as precise as it is: "2021", "2021-06" or "2021-06-07"."""
    year, *rest = date.split("-")
    month_day = [int(part) for part in rest]
    month = [_MONTHS[month_day[0] - 1]] if month_day else []
    return " ".join([*map(str, month_day[1:]), *month, year])


def _lead_end(text: str) -> tuple[int, bool]:
    """Return where the beginning of an abstract ends, and whether a sentence does so too."""
    if len(text) <= WHOLE:
        return len(text), True
    ends = [found.end() for found in _SENTENCE_END.finditer(text, 0, LEAD)]
    if ends and ends[-1] >= LEAST_LEAD:
        return ends[-1], True
    return text.rfind(" ", LEAST_LEAD, LEAD) + 1 or LEAD, False

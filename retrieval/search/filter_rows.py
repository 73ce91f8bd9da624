"""Filters: conditions on articles, as text for the command line, and as a mask over the rows of a segment.

    filter     condition { "and" condition }
    condition  "year" ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) number
             | field ( "=" | "!=" ) text
             | field ( "in" | "not in" ) "(" value { "," value } ")"
    text       a word, or anything in single or double quotes, in which a backslash keeps the next character

The JSON of a request has the same conditions as objects (see `schemas.search.Condition`).
"""

import re
from collections.abc import Sequence
from typing import Protocol, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from retrieval.rows.facets import NO_YEAR, Facets, fold, near_terms
from schemas.errors import InputError, UsageError
from schemas.filters import YES_OR_NO, Condition, FilterField

_FIELDS = ", ".join(get_args(FilterField))
_FIELD = rf"(?:{'|'.join(get_args(FilterField))})\b"
_OPERATOR = r"<=|>=|!=|=|<|>|not\s+in\b|in\b"
_VALUE = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'<>=!(),]+"""
_COMPARE = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}


def parse_filter(text: str) -> tuple[Condition, ...]:
    """Return the conditions of a filter, none for a blank one.

    Raises:
        UsageError: names the place, and what was expected there.
    """
    reader = _Reader(text)
    conditions: list[Condition] = []
    while not reader.at_end():
        if conditions:
            reader.expect(r"and\b", "'and', or quotes around several words")
        conditions.append(_condition(reader))
    return tuple(conditions)


def format_filter(conditions: Sequence[Condition]) -> str:
    """Return the text that `parse_filter` reads as these conditions."""
    return " and ".join(f"{c.field} {c.op} {_formatted(c.value)}" for c in conditions)


class _Reader:
    """A text that is read from left to right; white space between its parts is skipped."""

    def __init__(self, text: str) -> None:
        self._text, self.at = text, len(text) - len(text.lstrip())

    def at_end(self) -> bool:
        return self.at == len(self._text)

    def expect(self, pattern: str, what: str) -> str:
        """Return what comes next, which must be of the pattern, in any case."""
        if not (found := re.compile(rf"({pattern})\s*", re.IGNORECASE | re.DOTALL).match(self._text, self.at)):
            rest = self._text[self.at : self.at + 20]
            place = f"character {self.at + 1}, {rest!r}" if rest else "end"
            raise UsageError(f"filter, {place}: expected {what}")
        self.at = found.end()
        return found[1]

    def since(self, start: int) -> str:
        return self._text[start : self.at].rstrip()


def _condition(reader: _Reader) -> Condition:
    start = reader.at
    field = reader.expect(_FIELD, f"a field ({_FIELDS})").lower()
    op = " ".join(reader.expect(_OPERATOR, "an operator (=, !=, <, <=, >, >=, in, not in)").lower().split())
    value = _list(reader, field) if op in ("in", "not in") else _value(reader, field)
    try:
        return Condition.model_validate({"field": field, "op": op, "value": value})
    except ValidationError as error:
        raise UsageError(f"filter, {reader.since(start)[:100]!r}: {error.errors()[0]['msg']}") from None


def _list(reader: _Reader, field: str) -> tuple[str | int, ...]:
    reader.expect(r"\(", "a list in parentheses")
    values = [_value(reader, field)]
    while reader.expect(r"[,)]", "',' or ')'") == ",":
        values.append(_value(reader, field))
    return tuple(values)


def _value(reader: _Reader, field: str) -> str | int:
    text = reader.expect(_VALUE, "a value")
    if text[0] in "\"'":
        text = re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    return int(text) if field == "year" and re.fullmatch("[0-9]{1,9}", text) else text


def _formatted(value: str | int | tuple[str | int, ...]) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_formatted, value))})"
    return str(value) if isinstance(value, int) else '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


class Known(Protocol):
    """What is known of a segment's rows."""

    facets: Facets
    live: NDArray[np.bool_]


Unknown = dict[tuple[str, str], tuple[str, ...]]
"""Of terms that no article has, by field and value, known ones that are near."""


def unknown_terms(conditions: Sequence[Condition], segments: Sequence[Known]) -> Unknown:
    """Return the terms that no live row of the segments has: misspelt ones, most likely."""
    terms = [
        (c.field, str(value))
        for c in conditions
        if c.field != "year" and c.field not in YES_OR_NO
        for value in c.values
        if not any(segment.live[segment.facets.rows_of(c.field, str(value))].any() for segment in segments)
    ]
    known = {field: {t for segment in segments for t in segment.facets.terms(field)} for field, _ in terms}
    return {(field, term): tuple(near_terms(term, sorted(known[field] - {fold(term)}))) for field, term in terms}


def check_terms(of_shards: Sequence[Unknown]) -> None:
    """Check that some shard knows every term: a misspelt one would find nothing, or leave out nothing.

    Raises:
        InputError: names the first that none knows, and terms near it.
    """
    for field, term in of_shards[0]:
        if all((field, term) in unknown for unknown in of_shards):
            near = near_terms(term, sorted({t for unknown in of_shards for t in unknown[field, term]}))
            hint = f"near it: {', '.join(map(repr, near))}" if near else "correct it, or leave the condition out"
            raise InputError(f"filter: no article has {field} {term!r}; {hint}")


def wanted_rows(conditions: Sequence[Condition], facets: Facets) -> NDArray[np.bool_]:
    """Return which rows (rows,) of a segment all of the conditions hold for."""
    wanted = np.ones(facets.rows, bool)
    for condition in conditions:
        wanted &= _holds(condition, facets)
    return wanted


def _holds(condition: Condition, facets: Facets) -> NDArray[np.bool_]:
    if condition.field == "year" and condition.op in _COMPARE:
        return _COMPARE[condition.op](facets.years, condition.value) & (facets.years != NO_YEAR)
    if condition.field == "year":
        holds = np.isin(facets.years, np.array(condition.values, np.int16))
    else:
        holds = np.zeros(facets.rows, bool)
        for value in condition.values:
            holds[facets.rows_of(condition.field, str(value))] = True
    return ~holds if condition.op in ("!=", "not in") else holds

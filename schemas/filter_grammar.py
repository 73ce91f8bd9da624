"""Filters as text: conditions on articles, as the command line and addresses have them.

    filter     condition { "and" condition }
    condition  "year" ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) number
             | field ( "=" | "!=" ) text
             | field ( "in" | "not in" ) "(" value { "," value } ")"
    text       a word, or anything in single or double quotes, in which a backslash keeps the next character

The JSON of a request has the same conditions as objects (see `schemas.filters.Condition`).
"""

import re
from collections.abc import Sequence
from typing import get_args

from pydantic import ValidationError

from schemas.base import first_wrong
from schemas.errors import UsageError
from schemas.filters import Condition, FilterField

_FIELDS = ", ".join(get_args(FilterField))
_FIELD = rf"(?:{'|'.join(get_args(FilterField))})\b"
_OPERATOR = r"<=|>=|!=|=|<|>|not\s+in\b|in\b"
_VALUE = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'<>=!(),]+"""


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
        raise UsageError(f"filter, {reader.since(start)[:100]!r}: {first_wrong(error)}") from None


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

"""Filters as text, as the command line and addresses have them.

filter     all { "or" all }
all        part { "and" part }
part       condition | "(" filter ")"
condition  ( "year" | "date" ) ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value
         | field ( "=" | "!=" ) value
         | field ( "in" | "not in" ) "(" value { "," value } ")"
value      a word, or anything in single or double quotes, in which a backslash keeps the next character
"""

import re

from pydantic import ValidationError

from schemas.base import first_wrong
from schemas.errors import UsageError
from schemas.filters import (
    FIELDS,
    MAX_CONDITIONS,
    MAX_DEPTH,
    MAX_PMIDS,
    NUMBERS,
    OPERATORS,
    AllOf,
    AnyOf,
    Condition,
    Filter,
)

_FIELD = rf"(?:{'|'.join(FIELDS)})\b"
_OPERATOR = r"<=|>=|!=|=|<|>|not\s+in\b|in\b"
_VALUE = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'<>=!(),]+"""


def parse_filter(text: str) -> tuple[Filter, ...]:
    """Return what a filter says, nothing for a blank one; UsageError names the place and what was expected."""
    reader = _Reader(text)
    if reader.at_end():
        return ()
    found = _any_of(reader, 0)
    if not reader.at_end():
        reader.expect(r"(?!)", "'and', 'or', or quotes around several words")
    return found.all if isinstance(found, AllOf) else (found,)


class _Reader:
    """A text that is read from left to right; white space between its parts is skipped."""

    def __init__(self, text: str) -> None:
        self._text, self.at, self.conditions = text, len(text) - len(text.lstrip()), 0

    def at_end(self) -> bool:
        return self.at == len(self._text)

    def take(self, pattern: str) -> str | None:
        """Return what comes next if it is of the pattern, in any case."""
        if found := re.compile(rf"({pattern})\s*", re.IGNORECASE | re.DOTALL).match(self._text, self.at):
            self.at = found.end()
        return found and found[1]

    def expect(self, pattern: str, what: str) -> str:
        """Return what comes next, which must be of the pattern."""
        if (found := self.take(pattern)) is None:
            rest = self._text[self.at : self.at + 20]
            place = f"character {self.at + 1}, {rest!r}" if rest else "end"
            raise UsageError(f"filter, {place}: expected {what}")
        return found

    def since(self, start: int) -> str:
        return self._text[start : self.at].rstrip()


def _any_of(reader: _Reader, depth: int) -> Filter:
    parts = [_all_of(reader, depth)]
    while reader.take(r"or\b"):
        parts.append(_all_of(reader, depth))
    return AnyOf(any=tuple(parts)) if len(parts) > 1 else parts[0]


def _all_of(reader: _Reader, depth: int) -> Filter:
    parts = [_part(reader, depth)]
    while reader.take(r"and\b"):
        parts.append(_part(reader, depth))
    return AllOf(all=tuple(parts)) if len(parts) > 1 else parts[0]


def _part(reader: _Reader, depth: int) -> Filter:
    if not reader.take(r"\("):
        return _condition(reader)
    if depth == MAX_DEPTH:
        raise UsageError(f"filter, character {reader.at}: parentheses in parentheses, more than {MAX_DEPTH} deep")
    found = _any_of(reader, depth + 1)
    reader.expect(r"\)", "'and', 'or' or ')'")
    return found


def _condition(reader: _Reader) -> Condition:
    start = reader.at
    reader.conditions += 1
    if reader.conditions > MAX_CONDITIONS:
        raise UsageError(f"filter, character {start + 1}: more than {MAX_CONDITIONS} conditions")
    field = reader.expect(_FIELD, f"a field ({', '.join(FIELDS)}) or '('").lower()
    op = " ".join(reader.expect(_OPERATOR, f"an operator ({', '.join(OPERATORS)})").lower().split())
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
        if len(values) > MAX_PMIDS:
            raise UsageError(f"filter, character {reader.at}: more than {MAX_PMIDS} values")
    return tuple(values)


def _value(reader: _Reader, field: str) -> str | int:
    text = reader.expect(_VALUE, "a value")
    if text[0] in "\"'":
        text = re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    return int(text) if field in NUMBERS and re.fullmatch("[0-9]{1,18}", text) else text

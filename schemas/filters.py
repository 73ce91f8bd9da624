"""Which articles a search may find: conditions, as the JSON of requests has them, and the same as text.

The command line and addresses have the text:

    filter     condition { "and" condition }
    condition  "year" ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) number
             | field ( "=" | "!=" ) text
             | field ( "in" | "not in" ) "(" value { "," value } ")"
    text       a word, or anything in single or double quotes, in which a backslash keeps the next character
"""

import re
from typing import Literal, NamedTuple, Self, get_args

from pydantic import Field, StrictInt, StrictStr, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Frozen, first_wrong, is_whole
from schemas.errors import UsageError

MAX_CONDITIONS = 16
MAX_VALUES = 100
MAX_TERM_CHARS = 500
MAX_YEAR = 9999

FilterField = Literal["year", "language", "journal", "type", "mesh", "abstract", "retracted"]
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "not in"]
_FIELDS = ", ".join(get_args(FilterField))
_FIELD = rf"(?:{'|'.join(get_args(FilterField))})\b"
_OPERATOR = r"<=|>=|!=|=|<|>|not\s+in\b|in\b"
_VALUE = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'<>=!(),]+"""
YES_OR_NO = ("abstract", "retracted")
"""Fields that every article has, as yes or no."""


class Condition(Frozen):
    """What an article must be to be found: {"field": "year", "op": ">=", "value": 2020}.

    `!=` and `not in` are the opposite of `=` and `in`: they hold too where an article has no such field. An article
    without a year is neither before nor after any.
    """

    field: FilterField = Field(
        description="language: ISO 639-2 code; journal: NLM id, title or abbreviation; type (of publication) and mesh: "
        "UI or name; abstract (whether there is one) and retracted: yes or no."
    )
    op: Operator = Field(description="`<`, `<=`, `>` and `>=` are for year; `in` and `not in` take a list.")
    value: StrictStr | StrictInt | tuple[StrictStr | StrictInt, ...] = Field(
        description=f"A whole number for year, text for all others, whatever its case; a list has up to {MAX_VALUES}.",
        examples=["Diabetes Mellitus"],
    )

    @property
    def values(self) -> tuple[str | int, ...]:
        return self.value if isinstance(self.value, tuple) else (self.value,)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if isinstance(self.value, tuple) != (self.op in ("in", "not in")):
            raise _refusal(f"{self.op} takes {'one value' if isinstance(self.value, tuple) else 'a list'}")
        if self.op[0] in "<>" and self.field != "year":
            raise _refusal(f"{self.op} is for year; {self.field} takes =, !=, in and not in")
        if not 1 <= len(self.values) <= MAX_VALUES:
            raise _refusal(f"a list has 1 to {MAX_VALUES} values, not {len(self.values)}")
        for value in self.values:
            if expected := _expected_instead(self.field, value):
                raise _refusal(f"{self.field} takes {expected}")
        return self


def _expected_instead(field: FilterField, value: str | int) -> str | None:
    """Say what a field takes, if a value is not that."""
    if field == "year":
        fits, expected = isinstance(value, int) and 0 <= value <= MAX_YEAR, f"a whole number up to {MAX_YEAR}"
    elif field in YES_OR_NO:
        fits, expected = isinstance(value, str) and value.casefold() in ("yes", "no"), "yes or no"
    else:
        fits = isinstance(value, str) and value.strip() != "" and len(value) <= MAX_TERM_CHARS and is_whole(value)
        expected = f"text of 1 to {MAX_TERM_CHARS} characters"
    return None if fits else expected


def _refusal(reason: str) -> PydanticCustomError:
    return PydanticCustomError("condition", reason)


class Wanted(NamedTuple):
    """Which articles a search may find."""

    filters: tuple[Condition, ...] = ()
    """What the user asks for; all of them hold."""
    retracted: bool = False
    """Retracted ones too."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.filters if self.retracted else (*self.filters, NOT_RETRACTED)


NOT_RETRACTED = Condition(field="retracted", op="!=", value="yes")
EVERYTHING = Wanted(retracted=True)


def parse_filter(text: str) -> tuple[Condition, ...]:
    """Return the conditions of a filter, none for a blank one; UsageError names the place and what was expected."""
    reader = _Reader(text)
    conditions: list[Condition] = []
    while not reader.at_end():
        if conditions:
            reader.expect(r"and\b", "'and', or quotes around several words")
        conditions.append(_condition(reader))
    return tuple(conditions)


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

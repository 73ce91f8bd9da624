"""Which articles a search may find: conditions and groups of them, as the JSON of requests has them.

The same as text: `schemas.filter_text`.
"""

import datetime
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

from pydantic import AfterValidator, Discriminator, Field, StrictInt, StrictStr, Tag, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Frozen, at_most, is_whole

MAX_CONDITIONS = 16
MAX_DEPTH = 8
"""Of groups in groups."""
MAX_VALUES = 100
MAX_PMIDS = 10_000
"""Values of a list of PMIDs, in JSON some 100 kB."""
MAX_TERM_CHARS = 500
MAX_YEAR = 9999
MAX_PMID = 10**18 - 1

FilterField = Literal["year", "date", "language", "journal", "type", "mesh", "author", "pmid", "abstract", "retracted"]
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "not in"]
FIELDS, OPERATORS = get_args(FilterField), get_args(Operator)
YES_OR_NO = ("abstract", "retracted")
"""Fields that every article has, as yes or no."""
NUMBERS = {"year": MAX_YEAR, "pmid": MAX_PMID}
"""Fields of whole numbers, and the largest."""
ORDERED = ("year", "date")
TERMS = ("language", "journal", "type", "mesh", "author")
"""Fields of names, of which one that no article has is misspelt, most likely."""
RETRACTED_TYPE = ("d016441", "retracted publication")
"""The publication type of retracted articles, by UI and name: a condition on it asks for them."""

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?", re.ASCII)
_ISSN = re.compile(r"\d{4}-\d{3}[\dx]", re.ASCII)


def fold(name: str) -> str:
    """Return a name as it is matched: whatever its case, periods and spaces ("N. Engl. J. Med." is "n engl j med")."""
    return " ".join(name.casefold().replace(".", " ").split())


class Condition(Frozen):
    """What an article must be to be found: {"field": "year", "op": ">=", "value": 2020}.

    `!=` and `not in` are the opposite of `=` and `in`: they hold too where an article has no such field. An article
    without a year is neither before nor after any.
    """

    field: FilterField = Field(
        description="date: ISO 8601, of a day, a month or a year; language: ISO 639-2 code; journal: NLM id, title, "
        "abbreviation or ISSN; type (of publication) and mesh: UI or name; author: last name and initials, as in "
        "Lovelace AK; abstract (whether there is one) and retracted: yes or no."
    )
    op: Operator = Field(description="`<`, `<=`, `>` and `>=` are for year and date; `in` and `not in` take a list.")
    value: Annotated[StrictStr | StrictInt | tuple[StrictStr | StrictInt, ...], at_most(MAX_PMIDS)] = Field(
        description="A whole number for year and pmid, text for all others, whatever its case; a list has up to "
        f"{MAX_VALUES}, of PMIDs up to {MAX_PMIDS}.",
        examples=["Diabetes Mellitus"],
    )

    @property
    def values(self) -> tuple[str | int, ...]:
        return self.value if isinstance(self.value, tuple) else (self.value,)

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(map(str, self.values))

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if isinstance(self.value, tuple) != (self.op in ("in", "not in")):
            raise _refusal(f"{self.op} takes {'one value' if isinstance(self.value, tuple) else 'a list'}")
        if self.op[0] in "<>" and self.field not in ORDERED:
            raise _refusal(f"{self.op} is for {' and '.join(ORDERED)}; {self.field} takes =, !=, in and not in")
        most = MAX_PMIDS if self.field == "pmid" else MAX_VALUES
        if not 1 <= len(self.values) <= most:
            raise _refusal(f"a list has 1 to {most} values, not {len(self.values)}")
        for value in self.values:
            if expected := _expected_instead(self.field, value):
                raise _refusal(f"{self.field} takes {expected}")
        return self


class AnyOf(Frozen):
    """At least one of its parts holds: {"any": [{"field": …}, {"all": […]}]}."""

    any: Annotated[tuple["Filter", ...], at_most(MAX_CONDITIONS)] = Field(min_length=1)


class AllOf(Frozen):
    """All of its parts hold, as those of a request's `filters` do: {"all": [{"field": …}, {"field": …}]}."""

    all: Annotated[tuple["Filter", ...], at_most(MAX_CONDITIONS)] = Field(min_length=1)


def _kind(value: Any) -> str:
    has = value if isinstance(value, dict) else type(value).model_fields if isinstance(value, Frozen) else ()
    return next((f"({group})" for group in ("any", "all") if group in has), "(condition)")


Filter = Annotated[
    Annotated[Condition, Tag("(condition)")] | Annotated[AnyOf, Tag("(any)")] | Annotated[AllOf, Tag("(all)")],
    Discriminator(_kind),
]
"""A condition, or a group of them."""


def leaves(filters: Sequence[Filter]) -> Iterator[Condition]:
    """Yield the conditions of filters, in whatever group they are."""
    for one in filters:
        if isinstance(one, Condition):
            yield one
        else:
            yield from leaves(one.any if isinstance(one, AnyOf) else one.all)


def _within_limits(filters: tuple[Filter, ...]) -> tuple[Filter, ...]:
    if (count := sum(1 for _ in leaves(filters))) > MAX_CONDITIONS:
        raise PydanticCustomError("conditions", f"{count} conditions; a request has up to {MAX_CONDITIONS} in all")
    if _depth(filters) > MAX_DEPTH:
        raise PydanticCustomError("depth", f"groups are in groups up to {MAX_DEPTH} deep; say it with fewer")
    return filters


def _depth(filters: Sequence[Filter]) -> int:
    groups = (one.any if isinstance(one, AnyOf) else one.all for one in filters if not isinstance(one, Condition))
    return max((1 + _depth(parts) for parts in groups), default=0)


Filters = Annotated[tuple[Filter, ...], AfterValidator(_within_limits), at_most(MAX_CONDITIONS)]
"""All of them hold."""


def asks_for_retracted(filters: Sequence[Filter]) -> bool:
    """Return whether filters say which of the retracted articles are to be found, so that these may be."""
    return any(
        one.field == "retracted"
        or (one.field == "type" and one.op in ("=", "in") and any(fold(text) in RETRACTED_TYPE for text in one.texts))
        for one in leaves(filters)
    )


def is_issn(name: str) -> bool:
    """Return whether a journal is given by an ISSN, as in 1533-4406."""
    return bool(_ISSN.fullmatch(fold(name)))


def _expected_instead(field: FilterField, value: str | int) -> str | None:
    """Say what a field takes, if a value is not that."""
    if field in NUMBERS:
        most = NUMBERS[field]
        fits, expected = isinstance(value, int) and 0 <= value <= most, f"a whole number up to {most}"
    elif field == "date":
        fits, expected = isinstance(value, str) and _is_date(value), "a date as text: 2024, 2024-03 or 2024-03-07"
    elif field in YES_OR_NO:
        fits, expected = isinstance(value, str) and value.casefold() in ("yes", "no"), "yes or no"
    else:
        fits = isinstance(value, str) and value.strip() != "" and len(value) <= MAX_TERM_CHARS and is_whole(value)
        expected = f"text of 1 to {MAX_TERM_CHARS} characters"
    return None if fits else expected


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        datetime.date.fromisoformat(f"{text}-01-01"[:10])
    except ValueError:
        return False
    return True


def _refusal(reason: str) -> PydanticCustomError:
    return PydanticCustomError("condition", reason)


class Wanted(NamedTuple):
    """Which articles a search may find."""

    filters: tuple[Filter, ...] = ()
    """What the user asks for; all of them hold."""
    retracted: bool = False
    """Retracted ones too."""

    @property
    def conditions(self) -> tuple[Filter, ...]:
        return self.filters if self.retracted else (*self.filters, NOT_RETRACTED)


NOT_RETRACTED = Condition(field="retracted", op="!=", value="yes")
EVERYTHING = Wanted(retracted=True)

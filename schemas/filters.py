"""Which articles a search may find: conditions, as the JSON of requests has them.

The command line's grammar for the same is in schemas.filter_grammar.
"""

from typing import Literal, NamedTuple, Self

from pydantic import Field, StrictInt, StrictStr, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Frozen, is_whole

MAX_CONDITIONS = 16
MAX_VALUES = 100
MAX_TERM_CHARS = 500
MAX_YEAR = 9999

FilterField = Literal["year", "language", "journal", "type", "mesh", "abstract", "retracted"]
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "not in"]
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
        """The value, or the values of a list."""
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
        """All that must hold."""
        return self.filters if self.retracted else (*self.filters, NOT_RETRACTED)


NOT_RETRACTED = Condition(field="retracted", op="!=", value="yes")
EVERYTHING = Wanted(retracted=True)

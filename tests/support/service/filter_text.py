"""Filters as text."""

import re
from collections.abc import Sequence

from schemas.filters import AnyOf, Condition, Filter


def format_filter(filters: Sequence[Filter]) -> str:
    """Return the text that `parse_filter` reads as these filters."""
    return " and ".join(map(_part, filters))


def _part(one: Filter) -> str:
    if isinstance(one, Condition):
        return f"{one.field} {one.op} {_formatted(one.value)}"
    return f"({' or '.join(map(_part, one.any)) if isinstance(one, AnyOf) else format_filter(one.all)})"


def _formatted(value: str | int | tuple[str | int, ...]) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_formatted, value))})"
    return str(value) if isinstance(value, int) else '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'

"""Filters as text."""

import re
from collections.abc import Sequence

from schemas.filters import Condition


def format_filter(conditions: Sequence[Condition]) -> str:
    """Return the text that `parse_filter` reads as these conditions."""
    return " and ".join(f"{c.field} {c.op} {_formatted(c.value)}" for c in conditions)


def _formatted(value: str | int | tuple[str | int, ...]) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_formatted, value))})"
    return str(value) if isinstance(value, int) else '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'

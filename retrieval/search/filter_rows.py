"""Filters: for which rows of a segment conditions hold, which terms no article has, how such a query is answered."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from retrieval.rows.facets import NO_YEAR, Facets, fold, near_terms
from schemas.arrays import Mask
from schemas.errors import InputError
from schemas.filters import YES_OR_NO, Condition

_COMPARE = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}

Unknown = dict[tuple[str, str], tuple[str, ...]]
"""Of terms that no article has, by field and value, known ones that are near."""
ROWS_PER_LIST = 8
"""Rows that are read and scored exactly in the time that one list takes."""
MAX_READ = 50_000
"""Rows that are read for a query: on a disk they lie far apart, while codes are in memory."""


class LiveFacets(Protocol):
    """What is known of a segment's rows."""

    facets: Facets
    live: Mask


def unknown_terms(conditions: Sequence[Condition], segments: Sequence[LiveFacets]) -> Unknown:
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


def wanted_rows(conditions: Sequence[Condition], facets: Facets) -> Mask:
    """Return which rows (rows,) of a segment all of the conditions hold for."""
    wanted = np.ones(facets.rows, bool)
    for condition in conditions:
        wanted &= _holds(condition, facets)
    return wanted


def _holds(condition: Condition, facets: Facets) -> Mask:
    if condition.field == "year" and condition.op in _COMPARE:
        return _COMPARE[condition.op](facets.years, condition.value) & (facets.years != NO_YEAR)
    if condition.field == "year":
        holds = np.isin(facets.years, np.array(condition.values, np.int16))
    else:
        holds = np.zeros(facets.rows, bool)
        for value in condition.values:
            holds[facets.rows_of(condition.field, str(value))] = True
    return ~holds if condition.op in ("!=", "not in") else holds


def lists_to_probe(wanted: int, live: int, *, nprobe: int, nlist: int, candidates: int) -> int | None:
    """Return how many lists a query probes of which `wanted` of the `live` rows may be found; None: read the rows.

    As many wanted rows are looked at as a query without a filter looks at in `nprobe` lists. The choice depends on
    counts of the whole version alone, so any partition of its rows makes the same. Figures: docs/decisions/search.md,
    python -m benchmarks.search.filtered_search.
    """
    lists = min(nlist, -(-nprobe * live // max(1, wanted)))
    return None if wanted <= min(MAX_READ, candidates + ROWS_PER_LIST * lists) else lists

"""Filters: for which rows of a segment conditions hold, which terms no article has, how such a query is answered."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.rows.authors import AuthorRows
from retrieval.rows.dates import NO_YEAR, dates_hold
from retrieval.rows.facets import Facets, near_terms
from retrieval.rows.row_numbers import rows_of
from retrieval.search.mesh_tree import MeshTree
from schemas.arrays import Mask, Pmids, StoredRowNumbers
from schemas.errors import InputError
from schemas.filters import TERMS, AnyOf, Condition, Filter, fold, is_issn, leaves
from schemas.formats import FORMATS
from schemas.layout import AUTHORS, DAYS
from schemas.manifest import IndexVersion

_COMPARE = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}

NO_TREE = MeshTree()
Unknown = dict[tuple[str, str], tuple[str, ...]]
"""Of terms that no article has, by field and value, known ones that are near."""
ROWS_PER_LIST = 8
"""Rows that are read and scored exactly in the time that one list takes."""
HINTED = 3
"""Unknown terms for which near ones are looked for, in a second of a large index each; the first is told."""
MAX_READ = 50_000
"""Rows that are read for a query: on a disk they lie far apart, while codes are in memory."""


class FilteredSegment(Protocol):
    """What is known of a segment's rows."""

    live: Mask

    @property
    def facets(self) -> Facets: ...

    @property
    def pmids(self) -> Pmids: ...

    @property
    def pmid_order(self) -> NDArray[np.uint32]: ...

    @property
    def authors(self) -> AuthorRows: ...


def check_known(filters: Sequence[Filter], version: IndexVersion) -> None:
    """Check that every segment of a version has what filters ask for; older ones lack some of it.

    Raises:
        InputError: names the first that they lack.
    """
    held = [{*contents.files, *contents.columns} for contents in (FORMATS[s.format] for s in version.segments)]
    for condition in leaves(filters):
        for asked, needed in _needs(condition):
            if not all(needed in contents for contents in held):
                raise InputError(
                    f"filter: {asked} is not known of all articles of version {version.id}; run pubray index --full"
                )


def _needs(condition: Condition) -> Iterator[tuple[str, str]]:
    """Yield what a condition asks for that segments may lack, in words, and the file or column that says it."""
    if condition.field == "author":
        yield "author", AUTHORS
    for text in condition.texts:
        if condition.field == "date" and len(text) > len("2024"):
            yield f"date {text}, which is finer than a year,", DAYS
        elif condition.field == "journal" and is_issn(text):
            yield f"journal {text}, an ISSN,", "issns"


def unknown_terms(filters: Sequence[Filter], segments: Sequence[FilteredSegment], tree: MeshTree = NO_TREE) -> Unknown:
    """Return the terms that no live row of the segments has, nor the tree: misspelt ones, most likely."""
    terms = [
        (one.field, text)
        for one in leaves(filters)
        if one.field in TERMS
        for text in one.texts
        if not (one.field == "mesh" and text in tree) and not any(_is_live(one.field, text, s) for s in segments)
    ]
    known = {field: {t for segment in segments for t in segment.facets.terms(field)} for field, _ in terms}
    if "mesh" in known:
        known["mesh"] |= tree.names
    near = {(f, term): tuple(near_terms(term, sorted(known[f] - {fold(term)}))) for f, term in terms[:HINTED]}
    return {one: near.get(one, ()) for one in terms}


def _is_live(field: str, term: str, segment: FilteredSegment) -> bool:
    rows = segment.authors.rows_of(term) if field == "author" else segment.facets.rows_of(field, term)
    return bool(segment.live[rows].any())


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


def wanted_rows(filters: Sequence[Filter], segment: FilteredSegment, tree: MeshTree = NO_TREE) -> Mask:
    """Return which rows (rows,) of a segment all of the filters hold for; `mesh` takes in what the tree has below."""
    wanted = np.ones(segment.facets.rows, bool)
    for one in filters:
        wanted &= _holds(one, segment, tree)
    return wanted


def _holds(one: Filter, segment: FilteredSegment, tree: MeshTree) -> Mask:
    holds = np.zeros(segment.facets.rows, bool)
    if isinstance(one, AnyOf):
        for part in one.any:
            holds |= _holds(part, segment, tree)
        return holds
    if not isinstance(one, Condition):
        return wanted_rows(one.all, segment, tree)
    years = segment.facets.years
    if one.field == "date":
        return dates_hold(one.op, one.texts, years, segment.facets.days)
    if one.op in _COMPARE:
        return _COMPARE[one.op](years, one.value) & (years != NO_YEAR)
    if one.field == "year":
        holds = np.isin(years, np.array(one.values, np.int16))
    else:
        for rows in _rows_of(one, segment, tree):
            holds[rows] = True
    return ~holds if one.op in ("!=", "not in") else holds


def _rows_of(one: Condition, segment: FilteredSegment, tree: MeshTree) -> Iterator[StoredRowNumbers]:
    """Yield the rows that have one of the values of a condition."""
    if one.field == "pmid":
        found = rows_of(segment.pmids, segment.pmid_order, np.array(one.values, np.int64))
        yield found[found >= 0].astype(np.uint32)
    elif one.field == "author":
        yield from map(segment.authors.rows_of, one.texts)
    elif one.field == "mesh":
        yield from segment.facets.postings("mesh", sorted({n for text in one.texts for n in tree.names_below(text)}))
    else:
        yield from segment.facets.postings(one.field, [fold(text) for text in one.texts])


def lists_to_probe(wanted: int, live: int, *, nprobe: int, nlist: int, candidates: int) -> int | None:
    """Return how many lists a query probes of which `wanted` of the `live` rows may be found; None: read the rows.

    As many wanted rows are looked at as a query without a filter looks at in `nprobe` lists. The choice depends on
    counts of the whole version alone, so any partition of its rows makes the same. Figures: docs/decisions/search.md,
    python -m benchmarks.search.filtered_search.
    """
    lists = min(nlist, -(-nprobe * live // max(1, wanted)))
    return None if wanted <= min(MAX_READ, candidates + ROWS_PER_LIST * lists) else lists

"""Recall and speed of filtered searches, beside searches without a filter in the same run.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
    python -m benchmarks.search.filtered_search [--store FOLDER] [--queries 300]

Filters are real ones, those nearest to each share of the articles, and random rows. Queries are titles through the
query tower, one at a time. Recall is against an exact search of the wanted rows; speed a ratio to the searches without
a filter, of which one round is timed before and after each filter's. `lists` are those probed; `rows`: the wanted
rows were read instead. `first` is how long a filter that is not kept takes in addition.
"""

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import faiss
import numpy as np
import torch

from actors.search.index_searcher import IndexSearcher
from benchmarks.search.title_queries import served
from jobs.common.console import say, table
from retrieval.evaluate.truth import recall
from retrieval.rows.row_numbers import RowSet
from retrieval.search.filter_rows import wanted_rows
from retrieval.search.segment_search import search_exactly
from schemas.arrays import Floats, Pmids
from schemas.filters import EVERYTHING, Condition, Wanted

SHARES = (0.5, 0.1, 0.01, 0.001)
ROUNDS = 3
FIELDS = ("language", "journal", "type", "mesh")


class RandomRows(IndexSearcher):
    """Finds only a random share of the rows, as if a filter left these."""

    share = 1.0

    def _find_rows(self, wanted: Wanted) -> list[RowSet]:
        rng = np.random.default_rng(0)
        return [RowSet(s.live & (rng.random(len(s.live)) < self.share)) for s in self.segments]


class Measured(NamedTuple):
    """Of one filter."""

    share: float
    route: str
    at_10: float
    at_100: float
    speed: float
    """Relative to no filter."""


def main() -> None:
    """Print one row per filter."""
    objects, searcher, queries = served(300)
    version = searcher.version
    faiss.omp_set_num_threads(1)
    torch.set_num_threads(1)
    rows = []
    for share in SHARES:
        for filters in real_filters(searcher, share):
            wanted = Wanted(filters, retracted=True)
            start = time.perf_counter()
            searcher._find_rows(wanted)
            first = time.perf_counter() - start
            measured = measure(searcher, searcher, wanted, queries)
            rows.append([f"{share:.1%}", in_words(filters), *measured, f"{1000 * first:.1f} ms"])
        some = RandomRows(objects, version)
        some.share = share
        some._rows.cache_clear()
        stand_in = Wanted((Condition(field="abstract", op="=", value="yes"),), retracted=True)
        rows.append([f"{share:.1%}", "random rows", *measure(searcher, some, stand_in, queries), ""])
    say(f"{version.articles:,} articles, {searcher.quantizer.nlist} lists, {len(queries)} title queries")
    say(table(["of about", "filter", "share", "lists", "recall@10", "recall@100", "speed", "first"], rows))


def measure(plain: IndexSearcher, filtered: IndexSearcher, wanted: Wanted, queries: Floats) -> Measured:
    """Compare filtered searches with exact ones, and their speed with that of unfiltered ones."""
    rows = filtered._rows(wanted)
    count = sum(of_segment.count for of_segment in rows)
    lists = filtered._lists_to_probe(wanted, count, filtered.version.candidates)
    truth = [c.pmids for c in search_exactly(queries, filtered.segments, 100, rows)]
    hundred = [c.pmids for c in filtered.candidates(queries, 100, wanted)]
    speeds = []
    for _ in range(ROUNDS):
        before, _ = timed(lambda q: plain.candidates(q, 10, EVERYTHING)[0].pmids, queries)
        seconds, found = timed(lambda q: filtered.candidates(q, 10, wanted)[0].pmids, queries)
        after, _ = timed(lambda q: plain.candidates(q, 10, EVERYTHING)[0].pmids, queries)
        speeds.append((before + after) / 2 / seconds)
    share = count / filtered.version.articles
    route = "rows" if lists is None else str(lists)
    return Measured(share, route, recall(found, truth, 10), recall(hundred, truth, 100), float(np.median(speeds)))


def timed(answer: Callable[[Floats], Pmids], queries: Floats) -> tuple[float, list[Pmids]]:
    """Return the seconds that all queries take, one after the other, and their answers."""
    start = time.perf_counter()
    found = [answer(query[None]) for query in queries]
    return time.perf_counter() - start, found


def in_words(conditions: Iterable[Condition]) -> str:
    """Return a filter as a table has it."""
    return " and ".join(f"{one.field} {one.op} {one.value!r}" for one in conditions)


def real_filters(searcher: IndexSearcher, share: float) -> Iterable[tuple[Condition, ...]]:
    """Yield the filter of each kind that leaves the number of articles nearest to a share, if within a third of it."""
    total = searcher.version.articles
    for candidates in (year_filters(searcher), *(term_filters(searcher, field) for field in FIELDS)):
        counted = [(abs(np.log(max(1, count) / (share * total))), -len(in_words(f)), f) for f, count in candidates]
        distance, _, best = min(counted, key=lambda of_one: of_one[:2], default=(np.inf, 0, ()))
        if distance < np.log(4 / 3):
            yield best


def year_filters(searcher: IndexSearcher) -> list[tuple[tuple[Condition, ...], int]]:
    """Return filters from every year on, up to it, and of it alone, with how many articles they leave."""
    years = np.unique(np.concatenate([segment.facets.years for segment in searcher.segments]))
    filters = [
        (Condition(field="year", op=op, value=int(year)),) for year in years if year > 0 for op in (">=", "<=", "=")
    ]
    return [(f, sum(int((s.live & wanted_rows(f, s)).sum()) for s in searcher.segments)) for f in filters]


def term_filters(searcher: IndexSearcher, field: str) -> list[tuple[tuple[Condition, ...], int]]:
    """Return a filter for every term of a field, with how many articles it leaves."""
    terms = {term for segment in searcher.segments for term in segment.facets.terms(field)}
    return [
        ((Condition.model_validate({"field": field, "op": "=", "value": term}),), count)
        for term in terms
        if (count := sum(int(s.live[s.facets.rows_of(field, term)].sum()) for s in searcher.segments))
    ]


if __name__ == "__main__":
    main()

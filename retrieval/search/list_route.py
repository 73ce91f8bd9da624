"""How a filtered query is answered: from the lists, or by reading the rows that the filter leaves.

The choice depends on counts of the whole version alone, so any partition of its rows makes the same. Figures:
docs/decisions/search.md, python -m benchmarks.search.filtered_search.
"""

ROWS_PER_LIST = 8
"""Rows that are read and scored exactly in the time that one list takes."""
MAX_READ = 50_000
"""Rows that are read for a query: on a disk they lie far apart, while codes are in memory."""


def lists_to_probe(wanted: int, live: int, *, nprobe: int, nlist: int, candidates: int) -> int | None:
    """Return how many lists a query probes of which `wanted` of the `live` rows may be found; None: read the rows.

    As many wanted rows are looked at as a query without a filter looks at in `nprobe` lists.
    """
    lists = min(nlist, -(-nprobe * live // max(1, wanted)))
    return None if wanted <= min(MAX_READ, candidates + ROWS_PER_LIST * lists) else lists

"""Recall and speed of the served index against exact search over the same rows, for several search rules.

    python -m benchmarks.search.recall_and_speed [--store FOLDER] [--queries 500]

Queries are titles through the query tower. Speed is a ratio: queries/s of the index over queries/s of a plain
float32 matrix product with top-k (numpy, all threads), both in this run, one thread for the index.
"""

import time

import faiss
import numpy as np

from actors.search.index_searcher import IndexSearcher
from benchmarks.search.title_queries import served
from jobs.common.console import say, table
from retrieval.evaluate.truth import recall
from retrieval.search.segment_search import search, search_exactly
from schemas.arrays import Floats, Pmids

REPEATS = 3


def main() -> None:
    """Print one row per rule."""
    _, searcher, queries = served(500)
    version = searcher.version
    truth = [c.pmids for c in search_exactly(queries, searcher.segments, 100)]
    exact = exact_rate(queries, searcher)
    faiss.omp_set_num_threads(1)
    rows = []
    nlist = version.segments[0].nlist
    for nprobe in (nlist // 16, nlist // 8, nlist // 4, nlist // 2, nlist):
        for candidates in (100, 200, 500, 1000):
            if nprobe:
                found, rate = timed(queries, searcher, nprobe, candidates)
                rows.append([nprobe, candidates, recall(found, truth, 10), recall(found, truth, 100), rate / exact])
    say(f"{version.articles:,} articles, {nlist} lists, {len(queries)} title queries; served: nprobe {version.nprobe}")
    say(table(["nprobe", "candidates", "recall@10", "recall@100", "speed / exact"], rows))


def exact_rate(queries: Floats, searcher: IndexSearcher) -> float:
    """Return queries/s of the rival: one query at a time against all rows in float32."""
    rows = np.concatenate([s.rows for s in searcher.segments]).astype(np.float32)
    start = time.perf_counter()
    for query in queries:
        np.argpartition(rows @ query, -10)[-10:]
    return len(queries) / (time.perf_counter() - start)


def timed(queries: Floats, searcher: IndexSearcher, nprobe: int, candidates: int) -> tuple[list[Pmids], float]:
    """Return what the index finds, one query at a time, and the median queries/s."""
    rates = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        found = [
            search(q[None], searcher.segments, searcher.quantizer, nprobe=nprobe, candidates=candidates)[0].pmids
            for q in queries
        ]
        rates.append(len(queries) / (time.perf_counter() - start))
    return found, float(np.median(rates))


if __name__ == "__main__":
    main()

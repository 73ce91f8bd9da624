"""The served index, and titles of its articles as queries: what the benchmarks of search measure with."""

import argparse
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from actors.embed.towers import QueryTower
from actors.engine.cpu_threads import available_threads
from actors.search.index_searcher import IndexSearcher
from actors.store.local_store import LocalStore
from jobs.common.config import load_config
from jobs.common.store import served_version
from schemas.arrays import Floats
from schemas.protocols import Query


class Served(NamedTuple):
    """The index of a store, and queries for it."""

    store: LocalStore
    searcher: IndexSearcher
    queries: Floats
    """Titles of its articles, through the query tower."""


def served(queries: int) -> Served:
    """Return what the command line's `--store` and `--queries` (so many by default) name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", default="pubray-store")
    parser.add_argument("--queries", type=int, default=queries)
    options = parser.parse_args()
    config = load_config(None, [], {"PUBRAY_STORE": options.store})
    store = LocalStore(config.store)
    searcher = IndexSearcher(store, served_version(store))
    tower = QueryTower(config, available_threads())
    texts = [Query(title) for title in titles(searcher, options.queries)]
    return Served(store, searcher, tower.encode(texts))


def titles(searcher: IndexSearcher, count: int) -> list[str]:
    """Return titles of random rows of the first segment."""
    column = searcher.segments[0].articles["title"]
    rows = np.random.default_rng(1).choice(len(column), min(count, len(column)), replace=False)
    return [title for title in column.take(pa.array(rows)).to_pylist() if title]

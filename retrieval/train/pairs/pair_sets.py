"""Sets of pairs as files: one immutable Parquet, which says what it was made from."""

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retrieval.articles.pmids import mixed
from retrieval.files.parquet import regrouped, said_by
from retrieval.train.pairs.answers import pair_hashes
from retrieval.train.pairs.splits import HASHED
from schemas.layout import Layout
from schemas.pair import PAIR_SCHEMA, Pair, PairSet, Signal, Split
from schemas.store import Store

ROW_GROUP = 4096
SET_KEY = b"pubray.pairs"
"""Parquet metadata: a `PairSet` in JSON."""


def pair_table(pairs: Iterable[Pair]) -> pa.Table:
    """Return pairs as rows of `PAIR_SCHEMA`."""
    rows = [pair._asdict() | {"drop": pair.drop._asdict()} for pair in pairs]
    return pa.Table.from_pylist(rows, PAIR_SCHEMA)


def write_pairs(path: Path, tables: Iterable[pa.Table], about: PairSet) -> None:
    """Write a set; memory is bounded by one row group."""
    batches = (batch for table in tables for batch in table.to_batches())
    with pq.ParquetWriter(path, PAIR_SCHEMA, compression="zstd", write_page_checksum=True) as writer:
        for table in regrouped(batches, ROW_GROUP):
            writer.write_table(table, row_group_size=ROW_GROUP)
        writer.add_key_value_metadata({SET_KEY: about.model_dump_json().encode()})


def pair_set(file: pq.ParquetFile) -> PairSet:
    """Return what an open file says of itself; a ValueError if it is no set of pairs."""
    return PairSet.model_validate(json.loads(said_by(file, SET_KEY, "a set of pairs; name one that mine has made")))


def read_pair_set(store: Store, name: str) -> PairSet:
    """Read what a set of the store says of itself."""
    with store.parquet(Layout.pairs(name)) as file:
        return pair_set(file)


def lists(column: pa.ChunkedArray) -> Iterator[np.ndarray]:
    """Yield the values of each list of a column, without a copy where they lie in one piece."""
    whole = column.combine_chunks()
    values, offsets = whole.values.to_numpy(), whole.offsets.to_numpy()
    for begin, end in itertools.pairwise(offsets):
        yield values[begin:end]


def pair_counts(tables: Iterable[pa.Table]) -> dict[str, dict[Split, int]]:
    """Return how many pairs there are, by signal and side."""
    counts: dict[str, Counter[Split]] = {}
    for table in tables:
        found = table.group_by(["signal", "split"]).aggregate([([], "count_all")]).to_pylist()
        for row in found:
            counts.setdefault(row["signal"], Counter())[row["split"]] += row["count_all"]
    return {signal: dict(sorted(of.items())) for signal, of in sorted(counts.items())}


def read_pairs(store: Store, name: str, split: Split) -> pa.Table:
    """Read the pairs of one side of a set. Memory: 600 bytes a pair, with 32 near articles and 8 negatives each."""
    with store.parquet(Layout.pairs(name)) as file:
        table = file.read()
    return table.filter(pc.equal(table["split"], split))


def read_all_pairs(store: Store, names: Iterable[str], split: Split) -> pa.Table:
    """Read the pairs of one side of several sets."""
    return pa.concat_tables(read_pairs(store, name, split) for name in names)


def mixed_pairs(pairs: pa.Table, mix: Mapping[Signal, float]) -> pa.Table:
    """Return of the pairs of each signal the share that is wanted: the same pairs of any set."""
    # Mixed once more: of those of a set that was limited only low ones are left.
    hashes = mixed(pair_hashes(query_keys(pairs), pairs["pmid"].to_numpy()).view(np.int64))
    keep = np.ones(len(pairs), bool)
    for signal, share in mix.items():
        of_signal = pc.equal(pairs["signal"], signal).to_numpy()
        keep &= ~of_signal | (hashes < np.uint64(min(share * HASHED, HASHED - 2048)))
    return pairs.filter(pa.array(keep))


def query_keys(pairs: pa.Table) -> NDArray[np.uint64]:
    """Return the ids of the queries as numbers (n,)."""
    return np.array([int(query, 16) for query in pairs["query_id"].to_pylist()], np.uint64)

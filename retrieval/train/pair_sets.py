"""Sets of pairs as files: one immutable Parquet, which says what it was made from."""

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from retrieval.files.parquet import regrouped, said_by
from schemas.pair import PAIR_SCHEMA, Pair, PairSet

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


def lists(column: pa.ChunkedArray) -> Iterator[np.ndarray]:
    """Yield the values of each list of a column, without a copy where they lie in one piece."""
    whole = column.combine_chunks()
    values, offsets = whole.values.to_numpy(), whole.offsets.to_numpy()
    for begin, end in itertools.pairwise(offsets):
        yield values[begin:end]

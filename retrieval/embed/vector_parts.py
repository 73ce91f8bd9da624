"""Vector parts: the vectors of one range of rows of an article part, in Parquet.

What reads an open file raises a ValueError where it is no vector part (see `retrieval.files.parquet.opened`).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retrieval.files.parquet import OtherFileError, read_groups, read_range, said_by
from schemas.arrays import Mask, Pmids, Rows
from schemas.base import digest
from schemas.errors import InputError
from schemas.snapshot import PartRef
from schemas.store import Store
from schemas.vector import RowRange, vector_schema

VECTOR_ROW_GROUP = 32
"""Rows of a vector part per row group: what is read at least to copy one vector, 0.1 MB of 768 dimensions. Parts that
are older have 1,024."""
READ_ROWS = 1024
"""Rows that are decoded at a time."""
COUNT_KEY = b"pubray.vectors"
"""Parquet metadata of a vector part: how many of its rows have a vector."""
NO_PART = "a vector part of pubray; remove it and run the job again"


def write_vector_part(path: Path, pmids: Pmids, text_hashes: NDArray[np.uint64], vectors: Rows, wanted: Mask) -> None:
    """Write the vectors (rows, d) of one range; those of rows not `wanted` become null.

    Raises:
        InputError: a vector is beyond the range of float16.
    """
    bad = np.flatnonzero(wanted & ~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise InputError(f"article {pmids[bad[0]]}: its vector is beyond float16; normalise, or use another model")
    schema = vector_schema(vectors.shape[1])
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1], mask=pa.array(~wanted))
    table = pa.table([pa.array(pmids), pa.array(text_hashes), column], schema=schema)
    table = table.replace_schema_metadata({COUNT_KEY: str(int(wanted.sum()))})
    # Bits of float16 mantissas hardly compress; lz4 costs nothing and folds the nulls.
    pq.write_table(
        table,
        path,
        row_group_size=VECTOR_ROW_GROUP,
        compression="lz4",
        use_dictionary=False,
        write_page_checksum=True,
    )


def count_vectors(file: pq.ParquetFile) -> int:
    """Return how many rows of an open vector part have a vector, from its footer."""
    return int(said_by(file, COUNT_KEY, NO_PART))


def have_keys(file: pq.ParquetFile, articles: pa.Table) -> bool:
    """Return whether the rows of an open vector part are of these articles and of their texts."""
    columns = ["pmid", "text_hash"]
    found = read_groups(file, range(file.num_row_groups), columns)
    return all(np.array_equal(found[name].to_numpy(), articles[name].to_numpy()) for name in columns)


def read_vectors(file: pq.ParquetFile) -> tuple[Pmids, Rows, Mask]:
    """Return PMIDs (n,), vectors (n, d) and which rows have one (n,) of an open vector part."""
    columns = ["pmid", "vector"]
    # Some groups after the others, by one thread: what it takes to decode them is used again for the next.
    step, numbers = max(1, READ_ROWS // _rows_of_group(file)), list(range(file.num_row_groups))
    runs = [numbers[start : start + step] for start in range(0, len(numbers), step)]
    table = pa.concat_tables(read_groups(file, run, columns, threads=False) for run in runs).select(columns)
    return table["pmid"].to_numpy(), *_vectors(table)


def read_vector_rows(file: pq.ParquetFile, rows: NDArray[np.integer]) -> tuple[Rows, Mask]:
    """Return the vectors (n, d) of some rows of an open vector part, and which of them have one (n,).

    Only the row groups that hold them are read.
    """
    size = _rows_of_group(file)
    groups, where = np.unique(rows // size, return_inverse=True)
    # All groups but a file's last are full, and the last of those read is the only one that may be it.
    places = pa.array(where * size + rows % size)
    return _vectors(read_groups(file, groups.tolist(), ["vector"]).take(places))


def read_vector_range(file: pq.ParquetFile, start: int, stop: int) -> tuple[NDArray[np.uint64], Rows, Mask]:
    """Return text hashes (n,), vectors (n, d) and which have one (n,), of the rows [start, stop) of an open part."""
    table = read_range(file, start, stop, ["text_hash", "vector"])
    return table["text_hash"].to_numpy(), *_vectors(table)


def _rows_of_group(file: pq.ParquetFile) -> int:
    """Return how many rows each row group has but the last."""
    return max(1, file.metadata.row_group(0).num_rows) if file.num_row_groups else VECTOR_ROW_GROUP


def _vectors(table: pa.Table) -> tuple[Rows, Mask]:
    """Return the column `vector` as an array (n, d), zeros for nulls, and which rows are not null (n,)."""
    column = table["vector"].combine_chunks()
    if not isinstance(column, pa.FixedSizeListArray):
        raise OtherFileError(f"not {NO_PART}")
    dimension = column.type.list_size
    present = column.is_valid().to_numpy(zero_copy_only=False)
    found = column.flatten().to_numpy().reshape(-1, dimension)
    if len(found) == len(table):
        return found, present
    vectors = np.zeros((len(table), dimension), np.float16)
    vectors[present] = found
    return vectors, present


def row_ranges(parts: Iterable[PartRef], rows_per_part: int) -> list[RowRange]:
    """Cut all article parts of a snapshot into ranges of `rows_per_part` rows, the last of each part shorter."""
    ranges, history = [], ""
    for part in parts:
        history = digest([history, part.name, part.digest])
        for start in range(0, part.rows, rows_per_part):
            stop = min(start + rows_per_part, part.rows)
            ranges.append(RowRange(source=part.name, start=start, stop=stop, history=history))
    return ranges


def sample_vectors(store: Store, counts: Mapping[str, int], size: int, seed: int, *, dimension: int) -> Rows:
    """Return about `size` vectors (n, d) of the vector parts under the keys of `counts`, or all if there are fewer.

    Each part gives in proportion to its count; the same arguments give the same sample. Memory: the sample, 2 bytes a
    coordinate, and one part.
    """
    rng = np.random.default_rng(seed)
    share = min(1.0, size / sum(counts.values()))
    taken = {key: min(count, round(count * share)) for key, count in counts.items()}
    sample = np.empty((sum(taken.values()), dimension), np.float16)
    start = 0
    for key, number in taken.items():
        with store.parquet(key) as file:
            _, vectors, present = read_vectors(file)
        rows = np.sort(rng.choice(counts[key], number, replace=False))
        sample[start : start + number] = vectors[np.flatnonzero(present)[rows]]
        start += number
    return sample

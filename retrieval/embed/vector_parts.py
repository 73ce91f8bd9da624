"""Vector parts: the vectors of one range of rows of an article part, in Parquet.

A file that is no vector part, or truncated, or of which a page flipped, is an IntegrityError.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retrieval.files.atomic import atomic_path
from retrieval.files.parquet import opened, said_by
from schemas.arrays import Mask, Pmids, Rows
from schemas.base import digest
from schemas.errors import InputError, IntegrityError
from schemas.snapshot import PartRef
from schemas.vector import RowRange, vector_schema

VECTOR_ROW_GROUP = 1024
"""Rows of a vector part per row group: what is read at least to copy one vector, 1.5 MB of 768 dimensions."""
COUNT_KEY = b"pubray.vectors"
"""Parquet metadata of a vector part: how many of its rows have a vector."""
NO_PART = "a vector part of pubray; remove it and run the job again"


def write_vector_part(path: str, pmids: Pmids, text_hashes: NDArray[np.uint64], vectors: Rows, wanted: Mask) -> None:
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
    with atomic_path(path) as temporary:
        # Bits of float16 mantissas hardly compress; lz4 costs nothing and folds the nulls.
        pq.write_table(
            table,
            temporary,
            row_group_size=VECTOR_ROW_GROUP,
            compression="lz4",
            use_dictionary=False,
            write_page_checksum=True,
        )


def count_vectors(path: str) -> int:
    """Return how many rows of a vector part have a vector, from its footer."""
    return int(said_by(path, COUNT_KEY, NO_PART))


def check_keys(path: str, articles: pa.Table) -> None:
    """Refuse (IntegrityError) a vector part unless its rows are of these articles and of their texts."""
    columns = ["pmid", "text_hash"]
    with opened(path) as file:
        found = file.read(columns)
    if not all(np.array_equal(found[name].to_numpy(), articles[name].to_numpy()) for name in columns):
        raise IntegrityError(f"{path}: of other records than the article part; remove it and run pubray embed again")


def read_vectors(path: str) -> tuple[Pmids, Rows, Mask]:
    """Return PMIDs (n,), vectors (n, d) and which rows have one (n,)."""
    columns = ["pmid", "vector"]
    with opened(path) as file:
        # One group after the other, by one thread: what it takes to decode a group is used again for the next.
        groups = [file.read_row_group(i, columns, use_threads=False) for i in range(file.num_row_groups)]
        table = pa.concat_tables(groups).select(columns)
    return table["pmid"].to_numpy(), *_vectors(path, table)


def read_vector_rows(path: str, rows: NDArray[np.integer]) -> tuple[Rows, Mask]:
    """Return the vectors (n, d) of some rows of a vector part, and which of them have one (n,).

    Only the row groups that hold them are read.
    """
    groups, where = np.unique(rows // VECTOR_ROW_GROUP, return_inverse=True)
    with opened(path) as file:
        # All groups but a file's last are full, and the last of those read is the only one that may be it.
        places = pa.array(where * VECTOR_ROW_GROUP + rows % VECTOR_ROW_GROUP)
        table = file.read_row_groups(groups.tolist(), columns=["vector"]).take(places)
    return _vectors(path, table)


def _vectors(path: str, table: pa.Table) -> tuple[Rows, Mask]:
    """Return the column `vector` as an array (n, d), zeros for nulls, and which rows are not null (n,)."""
    column = table["vector"].combine_chunks()
    if not isinstance(column, pa.FixedSizeListArray):
        raise IntegrityError(f"{path}: not {NO_PART}")
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


def sample_vectors(counts: Mapping[str, int], size: int, seed: int, *, dimension: int) -> Rows:
    """Return about `size` vectors (n, d) of the vector parts at the paths of `counts`, or all if there are fewer.

    Each part gives in proportion to its count; the same arguments give the same sample. Memory: the sample, 2 bytes a
    coordinate, and one part.
    """
    rng = np.random.default_rng(seed)
    share = min(1.0, size / sum(counts.values()))
    taken = {path: min(count, round(count * share)) for path, count in counts.items()}
    sample = np.empty((sum(taken.values()), dimension), np.float16)
    start = 0
    for path, number in taken.items():
        _, vectors, present = read_vectors(path)
        rows = np.sort(rng.choice(counts[path], number, replace=False))
        sample[start : start + number] = vectors[np.flatnonzero(present)[rows]]
        start += number
    return sample

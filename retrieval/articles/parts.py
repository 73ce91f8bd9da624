"""Article parts and vector parts: Parquet files, each written once and read by ranges of rows."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retrieval.articles.article import Rejects
from retrieval.files.storage import atomic_path
from schemas.article import ARTICLE_SCHEMA
from schemas.base import digest
from schemas.errors import InputError, IntegrityError, StoreError
from schemas.snapshot import PartRef
from schemas.vector import RowRange, vector_schema

ROW_GROUP = 8192
"""Rows of an article part per Parquet row group: what is read at least to read a range."""

VECTOR_ROW_GROUP = 1024
"""Rows of a vector part per row group: what is read at least to copy one vector, 1.5 MB of 768 dimensions."""

PART_KEY = b"pubray.part"
"""Parquet metadata: an `ArticlePart` in JSON."""
COUNT_KEY = b"pubray.vectors"
"""Parquet metadata of a vector part: how many of its rows have a vector."""


class ArticlePart(NamedTuple):
    """What the footer of an article part says."""

    ref: PartRef
    source_bytes: int
    """Size of the source file when it was read."""
    rejects: Rejects


def write_article_part(
    path: str, batches: Iterable[pa.RecordBatch], source_bytes: int, rejects: Rejects
) -> ArticlePart:
    """Write the records of one source file; memory is bounded by one row group.

    rejects: is complete when the last batch has been read. The digest is over keys and record hashes: it changes when
    any record does.
    """
    digest, rows, deletions = hashlib.sha256(), 0, 0
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, ARTICLE_SCHEMA, compression="zstd", write_page_checksum=True) as writer,
    ):
        for table in regrouped(batches, ROW_GROUP):
            for name in ("pmid", "deleted", "unusable", "record_hash"):
                digest.update(table[name].combine_chunks().to_numpy(zero_copy_only=False).tobytes())
            writer.write_table(table, row_group_size=ROW_GROUP)
            rows += len(table)
            deletions += pc.sum(table["deleted"]).as_py()
        ref = PartRef(Path(path).stem, digest.hexdigest()[:16], rows, deletions)
        facts = {"ref": ref, "source_bytes": source_bytes, "rejects": asdict(rejects)}
        writer.add_key_value_metadata({PART_KEY: json.dumps(facts).encode()})
    return ArticlePart(ref, source_bytes, rejects)


def regrouped(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Yield the batches' rows in tables of `rows` rows, the last one shorter."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        held.append(batch)
        count += batch.num_rows
        while count >= rows:
            table = pa.Table.from_batches(held)
            yield table.slice(0, rows)
            held, count = table.slice(rows).to_batches(), count - rows
    if count:
        yield pa.Table.from_batches(held)


def read_article_part(path: Path) -> ArticlePart:
    """Read the footer of an article part.

    Raises:
        IntegrityError: the file is not an article part, or not a whole one.
    """
    metadata = _footer(path).metadata or {}
    if PART_KEY not in metadata:
        raise IntegrityError(f"{path}: not an article part of pubray; remove it and ingest its source again")
    with refusing(path):
        facts = json.loads(metadata[PART_KEY])
        return ArticlePart(PartRef(*facts["ref"]), facts["source_bytes"], Rejects(**facts["rejects"]))


def read_range(path: str, start: int, stop: int, columns: Sequence[str]) -> pa.Table:
    """Read some columns of the rows [start, stop), touching only the row groups that hold them.

    A column may be a path to a part of it: "authors.list.element.last_name".

    Raises:
        IntegrityError: the file is truncated, or a page of it flipped, or it lacks a column.
    """
    with refusing(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        ends = np.cumsum([0, *sizes])
        first = int(np.searchsorted(ends, start, "right")) - 1
        last = int(np.searchsorted(ends, stop, "left"))
        table = file.read_row_groups(list(range(first, last)), columns=list(columns))
        table = table.select(dict.fromkeys(column.partition(".")[0] for column in columns))
    return table.slice(start - int(ends[first]), stop - start).combine_chunks()


def write_vector_part(
    path: str,
    pmids: NDArray[np.int64],
    text_hashes: NDArray[np.uint64],
    vectors: NDArray[np.float16],
    wanted: NDArray[np.bool_],
) -> None:
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
    """Return how many rows of a vector part have a vector, from its footer.

    Raises:
        IntegrityError: the file is not a vector part, or not a whole one.
    """
    facts = _footer(Path(path)).metadata or {}
    if COUNT_KEY not in facts:
        raise IntegrityError(f"{path}: not a vector part of pubray; remove it and run the job again")
    return int(facts[COUNT_KEY])


def read_vectors(path: str) -> tuple[NDArray[np.int64], NDArray[np.float16], NDArray[np.bool_]]:
    """Return PMIDs (n,), vectors (n, d) and which rows have one (n,).

    Raises:
        IntegrityError: the file is truncated, or a page of it flipped.
    """
    columns = ["pmid", "vector"]
    with refusing(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        # One group after the other, by one thread: what it takes to decode a group is used again for the next.
        groups = [file.read_row_group(i, columns, use_threads=False) for i in range(file.num_row_groups)]
        table = pa.concat_tables(groups).select(columns)
    return table["pmid"].to_numpy(), *_vectors(path, table)


def read_vector_rows(path: str, rows: NDArray[np.integer]) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    """Return the vectors (n, d) of some rows of a vector part, and which of them have one (n,).

    Only the row groups that hold them are read.

    Raises:
        IntegrityError: the file is truncated, or a page of it flipped.
    """
    groups, where = np.unique(rows // VECTOR_ROW_GROUP, return_inverse=True)
    with refusing(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        # All groups but a file's last are full, and the last of those read is the only one that may be it.
        places = pa.array(where * VECTOR_ROW_GROUP + rows % VECTOR_ROW_GROUP)
        table = file.read_row_groups(groups.tolist(), columns=["vector"]).take(places)
    return _vectors(path, table)


def _vectors(path: str, table: pa.Table) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    """Return the column `vector` as an array (n, d), zeros for nulls, and which rows are not null (n,)."""
    column = table["vector"].combine_chunks()
    if not isinstance(column, pa.FixedSizeListArray):
        raise IntegrityError(f"{path}: not a vector part of pubray; remove it and run the job again")
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


def _footer(path: Path) -> pq.FileMetaData:
    with refusing(path):
        return pq.read_metadata(path)


@contextmanager
def refusing(path: str | Path) -> Iterator[None]:
    """Name the file that cannot be read. A flipped footer has names that are not UTF-8, not known, or no JSON."""
    try:
        yield
    except FileNotFoundError:
        raise StoreError(f"{path}: no such file; run the job that writes it") from None
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise IntegrityError(f"{path}: not whole Parquet ({reason}); remove it and run the job again") from None

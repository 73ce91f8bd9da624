"""Parquet files, each written once, read by ranges of rows, and named when they are not whole."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import IntegrityError, StoreError


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


def read_range(path: str, start: int, stop: int, columns: Sequence[str]) -> pa.Table:
    """Read some columns of the rows [start, stop), touching only the row groups that hold them.

    A column may be a path to a part of it: "authors.list.element.last_name".

    Raises:
        IntegrityError: the file is truncated, or a page of it flipped, or it lacks a column.
    """
    with opened(path) as file:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        ends = np.cumsum([0, *sizes])
        first = int(np.searchsorted(ends, start, "right")) - 1
        last = int(np.searchsorted(ends, stop, "left"))
        table = file.read_row_groups(list(range(first, last)), columns=list(columns))
        table = table.select(dict.fromkeys(column.partition(".")[0] for column in columns))
    return table.slice(start - int(ends[first]), stop - start).combine_chunks()


def said_by(path: str | Path, key: bytes, what: str) -> bytes:
    """Return what the footer of a file says under a key of its own; `what` it would be then, for the message.

    Raises:
        IntegrityError: the file is not Parquet, or not whole, or does not say it.
    """
    with refusing(path):
        facts = _agreeing(pq.read_metadata(path)).metadata or {}
    if key not in facts:
        raise IntegrityError(f"{path}: not {what}")
    return facts[key]


@contextmanager
def opened(path: str | Path) -> Iterator[pq.ParquetFile]:
    """Open a file whose pages are checked when they are read; IntegrityError where it is truncated, or they flipped."""
    with refusing(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        _agreeing(file.metadata)
        yield file


def _agreeing(metadata: pq.FileMetaData) -> pq.FileMetaData:
    """Refuse a footer that does not add up: nothing else tells that a number of rows in it is flipped."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    if metadata.num_rows != (rows := sum(group.num_rows for group in groups)):
        raise ValueError(f"{metadata.num_rows} rows, but {rows} in its row groups")
    flat = [j for j in range(metadata.num_columns) if metadata.schema.column(j).max_repetition_level == 0]
    for group in groups:
        if others := {group.column(j).num_values for j in flat} - {group.num_rows}:
            raise ValueError(f"{group.num_rows} rows in a row group, but {others.pop()} in a column of it")
    return metadata


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

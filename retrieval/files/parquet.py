"""Parquet files, each written once, read by ranges of rows, and named when they are not whole."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from retrieval.files.footers import footer_of
from schemas.errors import IntegrityError, StoreError


class OtherFileError(ValueError):
    """An open file is not what its reader takes it for; says what to do."""


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


def read_range(file: pq.ParquetFile, start: int, stop: int, columns: Sequence[str]) -> pa.Table:
    """Read some columns of the rows [start, stop), touching only the row groups that hold them.

    A column may be a path to a part of it: "authors.list.element.last_name".
    """
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    ends = np.cumsum([0, *sizes])
    first = int(np.searchsorted(ends, start, "right")) - 1
    last = int(np.searchsorted(ends, stop, "left"))
    table = read_groups(file, range(first, last), columns)
    table = table.select(dict.fromkeys(column.partition(".")[0] for column in columns))
    return table.slice(start - int(ends[first]), stop - start).combine_chunks()


def read_groups(
    file: pq.ParquetFile, groups: Sequence[int], columns: Sequence[str], *, threads: bool = True
) -> pa.Table:
    """Read some columns of whole row groups: all rows, or none. A flipped footer can hide the pages of a column."""
    table = file.read_row_groups(list(groups), columns=list(columns), use_threads=threads)
    if len(table) != (rows := sum(file.metadata.row_group(i).num_rows for i in groups)):
        raise ValueError(f"{len(table)} rows of {', '.join(columns)}, not {rows}")
    return table


def said_by(file: pq.ParquetFile, key: bytes, what: str) -> bytes:
    """Return what the footer of a file says under a key of its own; OtherFileError: it is not `what` it should be."""
    facts = file.metadata.metadata or {}
    if key not in facts:
        raise OtherFileError(f"not {what}")
    return facts[key]


@contextmanager
def opened(source: Path | pa.NativeFile, name: str = "") -> Iterator[pq.ParquetFile]:
    """Open a file, of which ranges are read and checked; `name` is how a person knows it, if that is not its path.

    What has no path is far away: then all that one call reads is asked for at once.

    Raises:
        StoreError: there is no such file.
        IntegrityError: it is truncated, or a page that is read flipped, or it is not what the reader takes it for (a
            ValueError or KeyError meanwhile).
    """
    with refusing(name or str(source)):
        far = not isinstance(source, Path)
        footer = footer_of(source, name) if isinstance(source, pa.NativeFile) else None
        with pq.ParquetFile(source, metadata=footer, page_checksum_verification=True, pre_buffer=far) as file:
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
def refusing(name: str) -> Iterator[None]:
    """Name the file that cannot be read. A flipped footer has names that are not UTF-8, not known, or no JSON."""
    try:
        yield
    except OtherFileError as error:
        raise IntegrityError(f"{name}: {error}") from None
    except FileNotFoundError:
        raise StoreError(f"{name}: no such file; run the job that writes it") from None
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise IntegrityError(f"{name}: not whole Parquet ({reason}); remove it and run the job again") from None

"""Snapshots as they are read: which rows of which article parts are alive."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from retrieval.files.parquet import footer, opened, refusing
from schemas.arrays import Mask
from schemas.errors import IntegrityError
from schemas.snapshot import INFO_KEY, SnapshotInfo


class Snapshot(NamedTuple):
    """A snapshot in the store."""

    id: str
    path: str
    info: SnapshotInfo


def read_snapshot(path: Path) -> Snapshot:
    """Open a snapshot; its rows stay on disk.

    Raises:
        IntegrityError: the file is not a snapshot, or not a whole one.
    """
    metadata = footer(path).metadata or {}
    if INFO_KEY not in metadata:
        raise IntegrityError(f"{path}: not a snapshot of this pubray; remove it and run pubray ingest again")
    with refusing(path):
        return Snapshot(path.stem, str(path), SnapshotInfo.model_validate_json(metadata[INFO_KEY]))


def alive_rows(path: str, part: str, start: int, stop: int) -> Mask:
    """Return which of the rows [start, stop) of an article part are alive in the snapshot at `path`.

    Only the row groups that may hold the part are read.

    Raises:
        IntegrityError: the file is truncated, or a page of it flipped.
    """
    names = [ref.name for ref in read_snapshot(Path(path)).info.parts]
    rows = pc.field("row")
    of_range = (pc.field("part") == names.index(part)) & (rows >= start) & (rows < stop)
    mask = np.zeros(stop - start, dtype=np.bool_)
    with refusing(path):
        found = pq.read_table(path, columns=["row"], filters=of_range, page_checksum_verification=True)
    mask[found["row"].to_numpy() - start] = True
    return mask


def key_groups(snapshot: Snapshot | None, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield columns of a snapshot's row groups, one after the other; none of no snapshot."""
    if snapshot is None:
        return
    with opened(snapshot.path) as file:
        for index in range(file.num_row_groups):
            yield file.read_row_group(index, columns=list(columns)).select(columns)

"""Snapshots as they are read: which rows of which article parts are alive, and what changed between two.

A file that is truncated, or of which a page flipped, is an IntegrityError.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retrieval.articles.alive_records import KEY_FIELDS, Records, records_of
from retrieval.articles.article import article_part
from retrieval.articles.pmids import PmidClass, find_among, pmid_classes
from retrieval.files.parquet import opened, read_groups, said_by
from schemas.arrays import Mask, Pmids
from schemas.errors import IntegrityError
from schemas.layout import Layout
from schemas.snapshot import INFO_KEY, SNAPSHOT_SCHEMA, SnapshotInfo
from schemas.store import Store

COLUMNS = ["pmid", "part", "row", "record_hash"]
COLUMN_NUMBERS = {name: number for number, name in enumerate(SNAPSHOT_SCHEMA.names)}
KEYS = np.dtype([field for field in KEY_FIELDS if field[0] in COLUMNS])


class Snapshot(NamedTuple):
    """A snapshot in the store."""

    id: str
    info: SnapshotInfo

    @property
    def key(self) -> str:
        return Layout.snapshot(self.id)

    def number(self, part: str) -> int:
        """Return the place of an article part among all; ValueError: it is none of this snapshot."""
        return [ref.name for ref in self.info.parts].index(part)


def read_snapshot(store: Store, id: str) -> Snapshot:
    """Read what a snapshot says of itself; its rows stay where they are."""
    with store.parquet(Layout.snapshot(id)) as file:
        said = said_by(file, INFO_KEY, "a snapshot of this pubray; remove it and run pubray ingest again")
        return Snapshot(id, SnapshotInfo.model_validate_json(said))


def open_keys(store: Store, id: str) -> AbstractContextManager[pq.ParquetFile]:
    """Open the rows of a snapshot: from this machine, for they are read again and again."""
    key = Layout.snapshot(id)
    return opened(store.local(key), store.name(key))


def alive_rows(file: pq.ParquetFile, number: int, start: int, stop: int) -> Mask:
    """Return which of the rows [start, stop) of the article part of this number are alive in an open snapshot.

    Only the row groups that may hold them are read.
    """
    mask = np.zeros(stop - start, dtype=np.bool_)
    groups = [i for i in range(file.num_row_groups) if _may_hold(file.metadata.row_group(i), number, start, stop)]
    found = read_groups(file, groups, ["part", "row"])
    rows = found["row"].to_numpy()
    rows = rows[(found["part"].to_numpy() == number) & (rows >= start) & (rows < stop)]
    mask[rows - start] = True
    return mask


def _may_hold(group: pq.RowGroupMetaData, number: int, start: int, stop: int) -> bool:
    """Return whether a row group may have rows [start, stop) of an article part: it has some of that part."""
    part, row = (group.column(COLUMN_NUMBERS[name]).statistics for name in ("part", "row"))
    if part is None or row is None:  # flipped
        return True
    one_part = part.min == part.max
    return part.min <= number <= part.max and not (one_part and (row.max < start or row.min >= stop))


def check_part(snapshot: Snapshot, part: str, file: pq.ParquetFile, name: str) -> None:
    """Refuse (IntegrityError) an open article part, of this name, unless it is the one that the snapshot names.

    A source file that was ingested again may have its records in another order, and a snapshot knows them by row.
    """
    wanted = next((ref for ref in snapshot.info.parts if ref.name == part), None)
    if article_part(file).ref != wanted:
        raise IntegrityError(f"{name}: not what snapshot {snapshot.id} was made of; run pubray ingest again")


def key_groups(store: Store, snapshot: Snapshot | None, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield columns of a snapshot's row groups, one after the other; none of no snapshot."""
    if snapshot is None:
        return
    with open_keys(store, snapshot.id) as file:
        for index in range(file.num_row_groups):
            yield read_groups(file, [index], columns).select(columns)


class SnapshotDifference(NamedTuple):
    """From one snapshot to another."""

    parts: NDArray[np.int32]
    """Of the rows whose record was not alive before: the number of their article part in the new snapshot …"""
    rows: NDArray[np.int32]
    """… and their row in it; in order of (part, row)."""
    outdated: Pmids
    """Those whose record is not alive any more, sorted: removed, or replaced by one of `rows`."""

    def within(self, part: int, start: int, stop: int) -> NDArray[np.int32]:
        """Return the changed rows [start, stop) of a part."""
        rows = self.rows[slice(*np.searchsorted(self.parts, [part, part + 1]))]
        return rows[slice(*np.searchsorted(rows, [start, stop]))]


def compare_snapshots(store: Store, old: Snapshot, new: Snapshot) -> SnapshotDifference:
    """Compare what is alive in two snapshots, of one lineage or of two. Records with equal hashes are the same.

    They are compared in classes of PMIDs, so memory does not grow with them: 50 bytes a key of one class, and what is
    returned.
    """
    classes = pmid_classes(max(s.info.counts.alive for s in (old, new)))
    found = [_difference_of_class(store, old, new, class_) for class_ in classes]
    added = np.concatenate([rows for rows, _ in found])
    added.sort(order=["part", "row"])
    outdated = np.sort(np.concatenate([pmids for _, pmids in found]))
    return SnapshotDifference(added["part"].copy(), added["row"].copy(), outdated)


def _difference_of_class(store: Store, old: Snapshot, new: Snapshot, class_: PmidClass) -> tuple[Records, Pmids]:
    before, after = (_keys(store, snapshot, class_) for snapshot in (old, new))
    found, slots = find_among(before["pmid"], after["pmid"])
    same = before["record_hash"][slots] == after["record_hash"][found]
    return np.delete(after, found[same]), np.delete(before["pmid"], slots[same])


def _keys(store: Store, snapshot: Snapshot, class_: PmidClass) -> Records:
    """Return the keys of a class, in order of PMID."""
    parts = [np.empty(0, KEYS)]
    for group in key_groups(store, snapshot, COLUMNS):
        parts.append(records_of(group, np.flatnonzero(class_.holds(group["pmid"].to_numpy())), KEYS))
    keys = np.concatenate(parts)
    return keys[np.argsort(keys["pmid"])]

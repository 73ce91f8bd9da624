"""Snapshots as they are read: which rows of which article parts are alive, and what changed between two.

A file that is truncated, or of which a page flipped, is an IntegrityError.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retrieval.articles.alive_records import KEY_FIELDS, Records, records_of
from retrieval.articles.article import read_article_part
from retrieval.articles.pmids import PmidClass, find_among, pmid_classes
from retrieval.files.parquet import opened, refusing, said_by
from schemas.arrays import Mask, Pmids
from schemas.errors import IntegrityError
from schemas.snapshot import INFO_KEY, SnapshotInfo

COLUMNS = ["pmid", "part", "row", "record_hash"]
KEYS = np.dtype([field for field in KEY_FIELDS if field[0] in COLUMNS])


class Snapshot(NamedTuple):
    """A snapshot in the store."""

    id: str
    path: str
    info: SnapshotInfo


def read_snapshot(path: Path) -> Snapshot:
    """Open a snapshot; its rows stay on disk."""
    said = said_by(path, INFO_KEY, "a snapshot of this pubray; remove it and run pubray ingest again")
    with refusing(path):
        return Snapshot(path.stem, str(path), SnapshotInfo.model_validate_json(said))


def alive_rows(path: str, part: str, start: int, stop: int) -> Mask:
    """Return which of the rows [start, stop) of an article part are alive in the snapshot at `path`.

    Only the row groups that may hold the part are read.
    """
    names = [ref.name for ref in read_snapshot(Path(path)).info.parts]
    rows = pc.field("row")
    of_range = (pc.field("part") == names.index(part)) & (rows >= start) & (rows < stop)
    mask = np.zeros(stop - start, dtype=np.bool_)
    with refusing(path):
        found = pq.read_table(path, columns=["row"], filters=of_range, page_checksum_verification=True)
    mask[found["row"].to_numpy() - start] = True
    return mask


def check_part(snapshot: str, part: str, path: str) -> None:
    """Refuse (IntegrityError) the article part at `path` unless it is the one that the snapshot at `snapshot` names.

    A source file that was ingested again may have its records in another order, and a snapshot knows them by row.
    """
    wanted = next((ref for ref in read_snapshot(Path(snapshot)).info.parts if ref.name == part), None)
    if read_article_part(Path(path)).ref != wanted:
        raise IntegrityError(f"{path}: not what snapshot {Path(snapshot).stem} was made of; run pubray ingest again")


def key_groups(snapshot: Snapshot | None, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield columns of a snapshot's row groups, one after the other; none of no snapshot."""
    if snapshot is None:
        return
    with opened(snapshot.path) as file:
        for index in range(file.num_row_groups):
            yield file.read_row_group(index, columns=list(columns)).select(columns)


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


def compare_snapshots(old: Snapshot, new: Snapshot) -> SnapshotDifference:
    """Compare what is alive in two snapshots, of one lineage or of two. Records with equal hashes are the same.

    They are compared in classes of PMIDs, so memory does not grow with them: 50 bytes a key of one class, and what is
    returned.
    """
    classes = pmid_classes(max(s.info.counts.alive for s in (old, new)))
    found = [_difference_of_class(old, new, class_) for class_ in classes]
    added = np.concatenate([rows for rows, _ in found])
    added.sort(order=["part", "row"])
    outdated = np.sort(np.concatenate([pmids for _, pmids in found]))
    return SnapshotDifference(added["part"].copy(), added["row"].copy(), outdated)


def _difference_of_class(old: Snapshot, new: Snapshot, class_: PmidClass) -> tuple[Records, Pmids]:
    before, after = (_keys(snapshot, class_) for snapshot in (old, new))
    found, slots = find_among(before["pmid"], after["pmid"])
    same = before["record_hash"][slots] == after["record_hash"][found]
    return np.delete(after, found[same]), np.delete(before["pmid"], slots[same])


def _keys(snapshot: Snapshot, class_: PmidClass) -> Records:
    """Return the keys of a class, in order of PMID."""
    parts = [np.empty(0, KEYS)]
    for group in key_groups(snapshot, COLUMNS):
        parts.append(records_of(group, np.flatnonzero(class_.holds(group["pmid"].to_numpy())), KEYS))
    keys = np.concatenate(parts)
    return keys[np.argsort(keys["pmid"])]

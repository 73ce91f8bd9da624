"""Snapshots: the Arrow schema of which (pmid -> article part, row) is alive, and what was counted."""

from typing import NamedTuple

import pyarrow as pa

SNAPSHOT_SCHEMA = pa.schema(
    [
        # Each once. Rows are in order of (part, row), so that those of one article part lie together.
        pa.field("pmid", pa.int64(), nullable=False),
        # Index into the names of the article parts, in file order, kept under `PARTS_KEY`.
        pa.field("part", pa.int32(), nullable=False),
        # Row of the article part.
        pa.field("row", pa.int32(), nullable=False),
        pa.field("text_hash", pa.uint64(), nullable=False),
        pa.field("record_hash", pa.uint64(), nullable=False),
    ]
)

PARTS_KEY = b"pubray.parts"
"""Schema metadata: a JSON list of the names of the article parts."""

COUNTS_KEY = b"pubray.counts"
"""Schema metadata: a JSON list, `SnapshotCounts`."""


class SnapshotCounts(NamedTuple):
    """What became of the rows of all article parts: records = alive + superseded + deleted."""

    records: int
    """Rows that are not deletions."""
    alive: int
    superseded: int
    """Records replaced by a later one or by a higher version."""
    deleted: int
    """Records that were alive when a deletion removed them."""
    unknown_deletions: int
    """Deletions that found nothing alive under their PMID."""

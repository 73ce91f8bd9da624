"""Snapshots: which (pmid -> article part, row) is alive; the Arrow schema, and what the file says of itself."""

from typing import NamedTuple

import pyarrow as pa
from pydantic import Field

from schemas.base import Frozen

SNAPSHOT_SCHEMA = pa.schema(
    [
        # Each once. Rows are in order of (part, row), so that those of one article part lie together.
        pa.field("pmid", pa.int64(), nullable=False),
        # Index into `SnapshotInfo.parts`.
        pa.field("part", pa.int32(), nullable=False),
        # Row of the article part.
        pa.field("row", pa.int32(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("text_hash", pa.uint64(), nullable=False),
        pa.field("record_hash", pa.uint64(), nullable=False),
    ]
)

INFO_KEY = b"pubray.snapshot"
"""Schema metadata: a `SnapshotInfo` in JSON."""


class Lineage(Frozen):
    """A baseline and its updates."""

    number: int
    """Counts the lineages of a store; the highest with a snapshot is the one that jobs work on."""
    baseline: tuple[str, ...] = ()
    """Source names. Empty: a lineage without a baseline, which is whatever files were given."""


class PartRef(NamedTuple):
    """An article part of a snapshot."""

    name: str
    digest: str
    rows: int
    deletions: int


class SourceFile(NamedTuple):
    """A source file as it was when it was read."""

    bytes: int
    modified: int = 0
    """In ns since 1970."""
    sha256: str = ""
    """Of parts that are older than this field nothing."""
    lineage: int | None = None
    """The number of the lineage that it was read for; None of parts that are older than this field."""


class PartFile(NamedTuple):
    """An article part as it lay in the store: while it has this size and time, nothing of it needs to be read."""

    bytes: int
    modified: int
    """In ns since 1970, by the store's clock."""
    source: SourceFile
    rejected: dict[str, int]
    """How many records were dropped for which reason …"""
    samples: dict[str, list[str]]
    """… and the first of them."""


class SnapshotCounts(Frozen):
    """PMIDs by what became of them since the previous snapshot.

    alive = added + revised_text + revised_metadata + reissued + unchanged, and the previous snapshot's = alive - added
    + deleted.
    """

    alive: int
    added: int
    revised_text: int
    """Their title or abstract is another, so their vector is."""
    revised_metadata: int
    reissued: int
    """A new record that says what the old one said; or any such article of a new lineage."""
    deleted: int
    """By a deletion, by a record that cannot be used, or because the new baseline lacks them."""
    unchanged: int
    unknown_deletions: int
    """Deletions, row by row, that found nothing alive. NLM deletes records that it never distributed."""


class SnapshotInfo(Frozen):
    """What a snapshot was made from, and how it differs from the one before."""

    lineage: Lineage
    parts: tuple[PartRef, ...]
    """In file order."""
    previous: str | None
    counts: SnapshotCounts
    sequence: int = 0
    """Counts the snapshots of a store: the highest is the newest. 0 of all that are older than this field."""
    left_out: tuple[str, ...] = ()
    """Names of source files that somebody wants left out, until he wants them back."""
    mesh_tree: str | None = None
    """sha256 of the MeSH tree that was given, with this snapshot or an earlier one."""
    part_files: dict[str, PartFile] = Field(default={})
    """By the names of the parts; of snapshots older than this field nothing."""

"""What is reported of a store as a whole: by `status`, and by `gc`."""

from typing import Literal

from schemas.base import Frozen
from schemas.layout import FileKind
from schemas.report import Report

Bytes = dict[str, int]
"""Kind of file → their size in the store."""


class SegmentStatus(Frozen):
    """A segment of a version."""

    segment: str
    shard: int
    kind: Literal["base", "delta"]
    live_rows: int
    dead_rows: int
    bytes: int


class VersionStatus(Frozen):
    """What a manifest says of a version, and how fresh it is."""

    version: str
    created: str
    parent: str | None
    snapshot: str
    newest_source: str | None
    hours_since_ingest: float | None
    """Since the newest source file of its snapshot was ingested."""
    selection: str
    encoder: str
    articles: int
    dead_rows: int
    bytes: int
    segments: tuple[SegmentStatus, ...]
    recall_at_10: float
    recall_at_100: float
    imbalance: float
    dead_share: float
    removed_share: float


class StatusReport(Report):
    """Of `status`: what the store holds."""

    store: str
    current: str | None
    withdrawn: tuple[str, ...]
    verified: bool
    """Every byte was read against its digest."""
    snapshot: str | None
    """The newest; articles, parts, records and source are its own."""
    articles: int
    article_parts: int
    records: int
    newest_source: str | None
    pending_parts: tuple[str, ...]
    """Article parts of no snapshot yet, in file order."""
    versions: tuple[VersionStatus, ...]
    bytes: Bytes


class Removed(Frozen):
    """What went of one kind."""

    count: int
    bytes: int
    names: tuple[str, ...]


class GcReport(Report):
    """Of `gc`."""

    dry_run: bool
    kept_versions: tuple[str, ...]
    kept_by_grace: tuple[str, ...]
    removed: dict[FileKind, Removed]
    bytes: int

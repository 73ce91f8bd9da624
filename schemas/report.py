"""What jobs report: shown to a person by each job, and to a program as JSON.

A field with a default is left out of the JSON where nothing is told of it.
"""

from typing import Literal

from pydantic import Field

from schemas.base import Frozen
from schemas.canary import CanaryAnswer
from schemas.layout import FileKind
from schemas.manifest import Gate
from schemas.run import Run
from schemas.snapshot import SnapshotCounts
from schemas.vector import EmbedCounts

Seconds = dict[str, float]
"""Name of a stage → how long it took."""
Bytes = dict[str, int]
"""Kind of file → their size in the store."""
Samples = dict[str, dict[str, str]]
"""Kind of change → ids and titles of some articles."""


class Report(Frozen):
    """What one run of a job did."""

    failures: tuple[str, ...] = ()
    """What is not as it should be."""

    @property
    def trouble(self) -> tuple[int, str] | None:
        """With which code a command ends whose report is this, and why; None if all is as it should be."""
        return (1, f"not as it should be: {', '.join(self.failures)}") if self.failures else None


class IngestReport(Report, SnapshotCounts):
    """Of `ingest`: the snapshot, and what became of PMIDs since the one before it."""

    snapshot: str
    lineage: int
    files: int
    ingested: int
    """Of the files, those that were new."""
    seconds: float
    records: int
    rejected: dict[str, int]
    """By reason."""
    rejected_samples: dict[str, list[str]]
    left_out: tuple[str, ...] = ()
    """Source files that somebody wants left out."""
    samples: Samples = Field(default={})
    """Where the snapshot was made just now."""
    bytes: int = 0
    """Of the new article parts and the snapshot."""
    mesh_tree: str | None = None
    """sha256 of the MeSH tree that goes with the snapshot."""
    gaps: tuple[str, ...] = ()
    """Update files that are missing between the baseline and the newest one."""
    gaps_allowed: bool = False
    waited_for: tuple[str, ...] = ()
    """Update files that NCBI lists, and that were not whole while they were waited for."""

    @property
    def trouble(self) -> tuple[int, str] | None:
        missing = sorted({*self.gaps, *self.waited_for})
        if not missing or self.gaps_allowed:
            return super().trouble
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        names = ", ".join(missing[:3])
        return 8, f"done, but update files are missing: {names}{more}; ingest them, or allow it with --allow-gaps"


class Agreement(Frozen):
    """How alike two sets of vectors of the same articles are, pair by pair."""

    pairs: int
    min_cosine: float
    median_cosine: float
    max_norm_difference: float
    """Of the norms, relative to the second of a pair."""
    median_norm_difference: float
    below: int
    """Pairs whose cosine is below the threshold."""


class EmbedRates(Frozen):
    """How fast encoders were while they were up: they worked, or waited for input."""

    articles_per_second: float
    tokens_per_second: float
    padding_waste: float
    """Share of what was computed that fills batches up."""
    mfu: float
    """Share of the peak of matrix products."""
    waiting: float
    """Share of the time."""
    seconds: float
    start_up_seconds: float
    """Of these, those before the first range."""


class EmbedReport(Report, EmbedCounts, EmbedRates):
    """Of `embed`."""

    snapshot: str
    fingerprint: str
    selection: str
    parts: int
    embedded_parts: int
    """Of the parts, those that were missing."""
    check: Agreement | None = None
    """Of published vectors with the encoder's own."""


class VersionReport(Report):
    """What is told of a version."""

    version: str
    articles: int
    segments: int
    dead_rows: int
    lists: int
    nprobe: int
    bytes: int
    new_bytes: int
    """Of its segments, those that its parent lacks."""
    recall_at_10: float
    recall_at_100: float
    imbalance: float
    canaries: tuple[CanaryAnswer, ...] = ()
    gates: tuple[Gate, ...] = ()
    """What a night serves has passed them all; another version is kept, and promoted by name alone."""
    advice: str | None
    """To train anew, where the lists fit worse than when they were trained."""

    @property
    def trouble(self) -> tuple[int, str] | None:
        failed = [gate.why or gate.name for gate in self.gates if not gate.passed]
        return (5, f"{'; '.join(failed)}. It is kept, and promoted by name alone") if failed else super().trouble


class IndexReport(VersionReport):
    """Of `index`."""

    built: bool
    """False: it was there."""


class CompactReport(VersionReport):
    """Of `compact`: the version that it made, or found, or CURRENT."""

    compacted: bool
    reason: str


class PromoteReport(Report):
    """Of `promote`."""

    version: str
    previous: str | None
    promoted: bool
    """False: it was CURRENT, or it is held."""
    held: bool = False
    """It was built on another version than CURRENT by now, and nobody named it."""


class RollbackReport(Report):
    """Of `rollback`."""

    version: str
    withdrawn: str


class CopyReport(Report):
    """Of `copy`."""

    source: str
    target: str
    versions: tuple[str, ...]
    """That are in the target now."""
    objects: int
    copied: int
    """Of them, those that were not there."""
    bytes: int
    """Of what was copied."""
    current: str | None
    """CURRENT of the target."""


class RunsReport(Report):
    """Of `runs`."""

    store: str
    runs: tuple[Run, ...]
    """Oldest first."""
    ended: tuple[int, str] | None = None
    """With which code the night ended that was asked for, and why; None: well, or none was."""

    @property
    def trouble(self) -> tuple[int, str] | None:
        return self.ended


class MetricsReport(Report):
    """Of `metrics`."""

    store: str
    file: str | None
    """Where they were written."""
    text: str
    """In Prometheus's format."""


class LeaseReport(Report):
    """Of `lease`."""

    store: str
    writer: str | None
    """Who, since when, how far he is."""
    broken: bool


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
    left_out: tuple[str, ...]
    """Source files that somebody wants left out."""
    gaps: tuple[str, ...]
    """Update files that are missing between the baseline and the newest one."""
    versions: tuple[VersionStatus, ...]
    unpromoted: tuple[str, ...] = ()
    """Versions that were never served, and not rolled back from: `gc` keeps them for a time of their own."""
    unreadable: tuple[str, ...] = ()
    """Why manifests cannot be read; while there is one, `gc` removes what is temporary alone."""
    bytes: Bytes
    writer: str | None = None
    """Who writes, since when, how far he is."""
    last_night: Run | None = None


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
    all_stays: str | None = None
    """Why nothing but temporary files was removed."""

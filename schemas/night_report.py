"""What is told of a night: before it begins, at each stage, at its end."""

from pydantic import Field

from schemas.report import CompactReport, EmbedReport, IndexReport, IngestReport, Report, Seconds
from schemas.run import NightFigures, RunRecord

Usd = dict[str, float]
"""By stage: of the machines that it ended with, for as long as it took, by the list prices of `pubray plan`."""


class NightForecast(Report):
    """Of `nightly --dry-run`: what a night will take."""

    files: int
    """Source files that are new."""
    bytes: int
    """Of these."""
    records: int
    encoded: int
    """Articles that will be encoded, at most."""
    hours: float
    usd: float
    """Of these machines for so long."""
    nights: int
    """By which the hours are guessed; 0: they are those of `pubray plan`."""
    compaction: str | None
    """Why it will be due."""
    node_bytes: int
    """What a merge needs on the disk of one node: a shard, and what it becomes."""
    free: dict[str, int]
    """Bytes on the disks of the nodes."""


class NightReport(Report):
    """Of `nightly`: the reports of its stages."""

    ingest: IngestReport
    embed: EmbedReport
    index: IndexReport
    compact: CompactReport | None = None
    """Nothing is compacted where the version is withdrawn, or has not passed its gates."""
    version: str | None
    """CURRENT at the end."""
    withdrawn: bool
    """What was built is what somebody rolled back from, so it is not promoted."""
    held: str | None = None
    """The version that was not promoted, because somebody has changed CURRENT meanwhile."""
    by_name: tuple[str, ...] = ()
    """The gates that the version before it had not passed: somebody promoted it by name."""
    not_served: str | None = None
    """Why the service does not answer from what was promoted."""
    seconds: Seconds
    usd: Usd

    @property
    def trouble(self) -> tuple[int, str] | None:
        if self.held is None:
            compacted = self.compact.trouble if self.compact else None
            not_served = (7, f"promoted, but not served: {self.not_served}") if self.not_served else None
            return super().trouble or self.index.trouble or compacted or not_served or self.ingest.trouble
        text = f"held: somebody has changed CURRENT while version {self.held} was made"
        return 6, f"{text}; the next night goes on from that, or promote it by name"

    @property
    def figures(self) -> NightFigures:
        made = self.compact or self.index
        return NightFigures(
            articles=made.articles,
            bytes=made.bytes,
            dead_rows=made.dead_rows,
            recall_at_10=made.recall_at_10,
            canaries=next((gate.value for gate in made.gates if gate.name == "canaries"), None),
            encoded=self.embed.encoded,
            articles_per_second=self.embed.articles_per_second if self.embed.encoded else None,
            seconds=sum(self.seconds.values()),
            usd=sum(self.usd.values()),
        )


class NightRecord(RunRecord):
    """What is kept of a night."""

    ingest: IngestReport | None = None
    embed: EmbedReport | None = None
    index: IndexReport | None = None
    compact: CompactReport | None = None
    withdrawn: bool = False
    held: str | None = None
    by_name: tuple[str, ...] = ()
    not_served: str | None = None
    failures: tuple[str, ...] = ()
    failed: str | None = None
    """The stage that raised an error."""
    seconds: Seconds = Field(default={})
    usd: Usd = Field(default={})
    logs: tuple[str, ...] = ()
    """Names of the logs that are kept."""

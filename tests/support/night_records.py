"""What a store tells of made nights: one in full, and the figures of those before it."""

from typing import Any

from jobs.common.run_records import NIGHT, Record
from jobs.common.run_reports import json_values
from schemas.canary import CanaryAnswer
from schemas.manifest import Gate
from schemas.night_report import NightRecord, NightReport
from schemas.run import NightFigures, Run
from schemas.store import Store
from tests.support.reports import night_report

NASTY = "<script>alert('x')</script> & \"quotes\""
GATES = (
    Gate(name="recall@10", value=0.9, limit=0.95, passed=False, why="version b finds 0.900; raise index.nprobe"),
    Gate(name="canaries", value=0.5, limit=0.25, passed=True),
)
CANARIES = (
    CanaryAnswer(text="what is found", found=tuple(range(401, 411))),
    CanaryAnswer(text=NASTY, found=(7,), missing=(8, 9)),
)
REPORT = night_report(
    ingest={
        "ingested": 2,
        "files": 3,
        "added": 1234,
        "revised_text": 617,
        "deleted": 4,
        "samples": {"added": {"31": NASTY}, "deleted": {"32": ""}},
        "bytes": 1_234_567,
        "rejected": {"no PMID": 3},
        "rejected_samples": {"no PMID": [NASTY]},
        "gaps": ("pubmed26n0002",),
        "waited_for": ("pubmed26n0004",),
    },
    embed={"encoded": 1851, "copied": 40_000_000, "bytes": 3000},
    index={"version": "b", "built": True, "articles": 2000, "gates": GATES, "canaries": CANARIES, "new_bytes": 5},
    compact={"version": "b", "reason": "not due", "gates": GATES, "canaries": CANARIES, "advice": "train anew"},
    version="b",
    seconds={"ingest": 30.0, "embed": 60.0, "index": 15.0, "promote": 0.1, "compact": 0.2},
    usd={"ingest": 0.5, "embed": 1.0, "index": 0.25, "promote": 0.0016666, "compact": 0.003},
)


def run(number: int, outcome: str = "done", **values: Any) -> Run:
    started = f"2026-11-{number:02}T02:00:00+00:00"
    return Run(run=f"202611{number:02}T020000-nightly", job="nightly", started=started, outcome=outcome, **values)


def figures(number: int) -> NightFigures:
    return NightFigures(
        articles=2000 + number,
        bytes=10**9,
        dead_rows=number,
        recall_at_10=0.99,
        canaries=1,
        encoded=9,
        seconds=600,
        usd=number / 10,
    )


def record(number: int = 30, outcome: str = "done", report: NightReport | None = REPORT, **values: Any) -> NightRecord:
    told = json_values(report) if report else {}
    return NightRecord.model_validate({**run(number, outcome).model_dump(), "format": 1, **told, **values})


def written(record: Record) -> None:
    """Wait until what a record was told is in the store."""
    record._writer.shutdown()


def begun(store: Store, stage: str, values: dict[str, Any]) -> None:
    """Leave the record of a night that is at a stage, or died there."""
    record = Record(store, NIGHT)
    record.stage(stage, values)
    written(record)

"""What is new from its source to CURRENT: ingest, embed, index, promote; then compact and promote, where it is due.

Each stage is the job of its name and does what is missing, so a night that was stopped is gone on with by the next
run. A version that fails its checks ends the night, and CURRENT stays what it was.
"""

import argparse
from typing import Any

from jobs import compact, embed, index, ingest, promote
from jobs.common.console import table
from jobs.common.run_reports import write_report
from jobs.common.store import open_layout, read_current
from jobs.steps.stages import Stages, run_job
from schemas.config import Config


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the job's options."""
    parser.add_argument("--source", required=True, metavar="PATH|ncbi", help="as for ingest")


def run(config: Config, options: argparse.Namespace) -> dict[str, Any]:
    """Run the stages; each one's report is in the report of the night, and that is kept in the store."""
    stages = Stages()
    report: dict[str, Any] = {
        "ingest": stages.run("ingest", run_job, ingest, config, "--source", options.source),
        "embed": stages.run("embed", run_job, embed, config),
        "index": stages.run("index", run_job, index, config),
    }
    withdrawn = _promote(config, stages, report["index"]["version"])
    if not withdrawn:
        report["compact"] = stages.run("compact", run_job, compact, config)
        _promote(config, stages, report["compact"]["version"])
    layout = open_layout(config)
    current = read_current(layout)
    report |= {
        "version": current.version if current else None,
        "withdrawn": withdrawn,
        "seconds": stages.seconds,
    }
    write_report(layout, "nightly", report)
    return report


def show(report: dict[str, Any]) -> str:
    """Return the report for a person."""
    ingested, embedded, built = report["ingest"], report["embed"], report["index"]
    compacted = report.get("compact", {"reason": "not reached"})
    files = (
        f"{ingested['ingested']} new files: {ingested['added']:,} added, {ingested['revised_text']:,} texts and "
        f"{ingested['revised_metadata']:,} other records revised, {ingested['deleted']:,} deleted"
    )
    did = {
        "ingest": files if ingested["ingested"] else "no new files",
        "embed": f"{embedded['encoded']:,} encoded, {embedded['copied']:,} copied",
        "index": f"{built['articles']:,} articles in {built['segments']} segments, {built['dead_rows']:,} dead rows, "
        f"recall@10 {built['recall_at_10']:.3f}",
        "compact": compacted["reason"],
    }
    rows = [[stage, report["seconds"].get(stage), text] for stage, text in did.items()]
    head = f"CURRENT is {report['version']}"
    if report["withdrawn"]:
        head += f"; {built['version']} was withdrawn before, and is promoted only by name"
    advice = f"\n{compacted['advice']}" if compacted.get("advice") else ""
    return f"{head}\n{table(['stage', 'seconds', ''], rows)}{advice}"


def _promote(config: Config, stages: Stages, version: str) -> bool:
    """Promote a version unless somebody has withdrawn it; return whether that is so."""
    current = read_current(open_layout(config))
    if current and version in current.withdrawn:
        return True
    stages.run("promote", run_job, promote, config, version)
    return False

"""Merge the deltas of the CURRENT version into its base and drop its dead rows, where that is due.

The new version answers as the old one does, from one segment per shard. Memory of a merge: one group of lists, and a
byte a row; it reads and writes all of a shard.
"""

import argparse
from pathlib import Path
from typing import Any

from jobs.common.cluster import connect, finished
from jobs.common.console import Progress, table
from jobs.common.store import open_layout, read_version, served_version
from jobs.steps.build_tasks import merge_segments
from jobs.steps.commit import commit, now, report_of
from schemas.base import digest
from schemas.config import Config
from schemas.manifest import UNCHECKED, IndexVersion, Segment


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the job's options."""
    parser.add_argument("--force", action="store_true", help="whether it is due or not")


def run(config: Config, options: argparse.Namespace) -> dict[str, Any]:
    """Compact the CURRENT version if it is due; the result is not served until `promote`."""
    layout = open_layout(config)
    version = served_version(layout)
    reason = why(config, version) or ("asked for" if options.force else "not due")
    if len(version.segments) == len({s.shard for s in version.segments}) and not version.tombstones:
        reason = "nothing to merge"
    if reason in ("not due", "nothing to merge"):
        return {**report_of(layout, version), "compacted": False, "reason": reason}
    compacted = digest({"compacted": version.id})
    if Path(layout.version(compacted)).exists():
        return {**report_of(layout, read_version(layout, compacted)), "compacted": False, "reason": "exists"}
    connect()
    segments: list[Segment] = []
    progress = Progress("compact", version.articles, "rows")
    shards = sorted({s.shard for s in version.segments})
    for segment in finished([merge_segments.remote(layout, version, f"{compacted}-{s}", s) for s in shards]):
        segments.append(segment)
        progress.add(segment.rows)
    progress.finish()
    new = version.model_copy(
        update={
            "id": compacted,
            "created": now(),
            "parent": version.id,
            "segments": tuple(sorted(segments, key=lambda s: s.shard)),
            "tombstones": {},
            "checks": UNCHECKED,
        }
    )
    return {**report_of(layout, commit(config, new)), "compacted": True, "reason": reason}


def show(report: dict[str, Any]) -> str:
    """Return the report for a person."""
    rows = [
        [key, value]
        for key, value in report.items()
        if key not in ("version", "compacted", "reason") and value is not None
    ]
    done = "compacted, not served yet: pubray promote" if report["compacted"] else "nothing was done"
    return f"version {report['version']}: {done} ({report['reason']})\n{table(['of the version', 'value'], rows)}"


def why(config: Config, version: IndexVersion) -> str | None:
    """Return why a version is to be compacted, None if it is not."""
    shards = [s.shard for s in version.segments]
    deltas = max(shards.count(shard) for shard in set(shards)) - 1
    rules = config.index
    if deltas > rules.max_deltas:
        return f"{deltas} deltas, more than index.max_deltas = {rules.max_deltas}"
    dead = sum(t.rows for t in version.tombstones.values()) / sum(s.rows for s in version.segments)
    return f"{dead:.1%} dead rows, more than index.max_dead = {rules.max_dead:.1%}" if dead > rules.max_dead else None

"""Reports of runs: as JSON, and kept in the store."""

import datetime
import json
from typing import Any

from retrieval.files.atomic import write_bytes
from schemas.base import Frozen
from schemas.layout import Layout


def json_values(report: Frozen) -> dict[str, Any]:
    """Return a report as JSON has it, without what nothing is told of."""
    return report.model_dump(mode="json", exclude_unset=True)


def write_report(layout: Layout, job: str, report: Frozen) -> None:
    """Keep what a job reports, under the time at which it ended."""
    now = datetime.datetime.now(datetime.UTC)
    content = {"job": job, "finished": now.isoformat(timespec="seconds"), **json_values(report)}
    run = f"{now:%Y%m%dT%H%M%S.%f}-{job}"
    write_bytes(layout.run_report(run), json.dumps(content, indent=1).encode())

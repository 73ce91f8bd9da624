"""Reports of runs, kept in the store."""

import datetime
import json
from typing import Any

from retrieval.files.atomic import write_bytes
from schemas.layout import Layout


def write_report(layout: Layout, job: str, report: dict[str, Any]) -> None:
    """Keep what a job reports, under the time at which it ended."""
    now = datetime.datetime.now(datetime.UTC)
    content = {"job": job, "finished": now.isoformat(timespec="seconds"), **report}
    run = f"{now:%Y%m%dT%H%M%S.%f}-{job}"
    write_bytes(layout.run_report(run), json.dumps(content, indent=1).encode())

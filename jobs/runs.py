"""The last runs of a store: when, how they ended, at which stage."""

import datetime
from collections.abc import Sequence
from typing import Annotated

from actors.store.stores import open_store
from jobs.common.console import table
from jobs.common.options import Option
from jobs.common.run_records import NIGHT, OUTCOMES, runs
from schemas.config import Config
from schemas.errors import UsageError
from schemas.layout import Layout
from schemas.report import RunsReport
from schemas.run import Run

SINCE = Option("exit as the first night did that began since then (ISO 8601, UTC)", metavar="TIME")
WELL = ("done", "nothing new")


def run(
    config: Config,
    *,
    last: Annotated[int, Option("how many; default 20", metavar="N")] = 20,
    since: Annotated[str | None, SINCE] = None,
) -> RunsReport:
    """Return the last runs, nights and others; of each the report is in the store.

    Raises:
        UsageError: the number is below 1, or that is no time.
    """
    if last < 1:
        raise UsageError(f"--last {last}: give a number from 1")
    begun = _time(since) if since else None
    store = open_store(config)
    every = runs(store).runs
    ended = {"ended": _end([run for run in every if run.job == NIGHT], begun)} if begun else {}
    return RunsReport(store=store.root, runs=every[-last:], **ended)


def show(report: RunsReport) -> str:
    if not report.runs:
        return f"no runs yet in {report.store}"
    rows = [[one.started[:16], one.outcome, one.stage, one.version, one.run] for one in report.runs]
    return table(["started (UTC)", "outcome", "stage", "CURRENT", "report: runs/…/report.json"], rows)


def _time(text: str) -> datetime.datetime:
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--since {text!r}: no time; write it as in 2026-11-30T23:00:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def _end(nights: Sequence[Run], begun: datetime.datetime) -> tuple[int, str] | None:
    """Return with which code a night ended, and why; None: well."""
    night = next((one for one in nights if datetime.datetime.fromisoformat(one.started) >= begun), None)
    if night is None:
        return 1, f"no night has begun since {begun.isoformat()}; look at what was to start it"
    if night.outcome in WELL:
        return None
    codes = {outcome: code for code, outcome in OUTCOMES.items()}
    where = f" at {night.stage}" if night.stage else ""
    return codes.get(night.outcome, 1), f"the night is {night.outcome}{where}; see {Layout.run_report(night.run)}"

"""The last nights of a store: when, how they ended, at which stage."""

from typing import Annotated

from actors.store.stores import open_store
from jobs.common.console import table
from jobs.common.options import Option
from jobs.common.run_records import NIGHT, runs
from schemas.config import Config
from schemas.errors import UsageError
from schemas.report import RunsReport


def run(config: Config, *, last: Annotated[int, Option("how many; default 20", metavar="N")] = 20) -> RunsReport:
    """Return the last nights; of each the report is in the store.

    Raises:
        UsageError: the number is below 1.
    """
    if last < 1:
        raise UsageError(f"--last {last}: give a number from 1")
    store = open_store(config)
    nights = tuple(run for run in runs(store).runs if run.job == NIGHT)
    return RunsReport(store=store.root, runs=nights[-last:])


def show(report: RunsReport) -> str:
    if not report.runs:
        return f"no nights yet in {report.store}"
    rows = [[one.started[:16], one.outcome, one.stage, one.version, one.run] for one in report.runs]
    return table(["started (UTC)", "outcome", "stage", "CURRENT", "report: runs/…/report.json"], rows)

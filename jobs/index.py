"""Vector parts → a checked version. Nothing is served until `promote`.

A version builds on CURRENT: what changed since its snapshot makes one new segment per shard, a delta, and tombstones
for the rows that are outdated. Without a CURRENT of the same recipe everything is built: quantizer, worker shards,
segments. What exists under the digest of its inputs is not made again, so a rerun after a crash goes on where it
stopped.
"""

from typing import Annotated

from jobs.common.cluster.joining import connect
from jobs.common.options import Option
from jobs.common.run_reports import root_cause
from jobs.common.writer import writes
from jobs.steps.index.build_inputs import BuildInputs
from jobs.steps.index.version_reports import report_of, show_version
from schemas.config import Config
from schemas.errors import RowsError
from schemas.report import IndexReport

REMOVED = Option("the version may lack more of CURRENT's articles than index.max_removed")


@writes("index")
def run(
    config: Config,
    *,
    full: Annotated[bool, Option("build everything anew instead of what changed")] = False,
    allow_removed: Annotated[bool, REMOVED] = False,
) -> IndexReport:
    """Build the version of the newest snapshot, unless it is there already.

    Raises:
        StoreError: nothing was embedded.
        CheckError: the version does not hold what it should, and is not written.
    """
    if allow_removed:
        config = config.with_values(index={"max_removed": 1})
    if (there := BuildInputs(config, full=full).existing()) is not None:
        return report_of(IndexReport, config, there, built=False)
    # Imported here: torch, which is behind them, takes a second, and a night without news does without.
    from jobs.steps.index.commit import commit
    from jobs.steps.index.version_build import Build

    build = Build(config, full=full)
    connect(config)
    try:
        version = commit(config, build.run())
    except Exception as error:
        if isinstance(root_cause(error), RowsError):
            build.discard()
        raise
    build.clear()
    return report_of(IndexReport, config, version, built=True)


def show(report: IndexReport) -> str:
    done = "built, and not promoted" if report.trouble else "built, not served yet: pubray promote"
    return show_version(report, done if report.built else "exists")

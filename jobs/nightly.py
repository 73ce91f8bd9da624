"""What is new from its source to CURRENT: ingest, embed, index, promote; then compact and promote, where it is due.

Each stage is the job of its name and does what is missing, so a night that was stopped is gone on with by the next
run. A version that does not pass its gates is kept, and CURRENT stays what it was.
"""

from contextlib import suppress
from typing import Annotated, Any

from actors.store.stores import open_store
from jobs import compact, embed, index, ingest, promote
from jobs.common.cluster.nodes import usd_per_hour
from jobs.common.console import megabytes, table
from jobs.common.options import Option
from jobs.common.run_records import NIGHT, OUTCOMES, Record, exit_code_of, outcome_of
from jobs.common.run_reports import Stages, json_values, root_cause, why_of
from jobs.common.store import read_current, served_version, versions
from jobs.common.writer import writes
from jobs.steps.night.deadlines import Deadlines
from jobs.steps.night.dry_run import forecast
from jobs.steps.night.ending import tells_its_end
from jobs.steps.night.run_logs import RunLogs
from retrieval.index.gates import gates
from schemas.config import Config
from schemas.errors import PubrayError
from schemas.manifest import Current
from schemas.night_report import NightForecast, NightReport
from schemas.report import IngestReport, Report

SERVICE = Option("at the end wait until the service there answers from what was promoted", metavar="URL")
DRY_RUN = Option("say what is new, and what the night will take; change nothing")


def run(
    config: Config,
    *,
    source: Annotated[str, Option("as for ingest", metavar="PATH|ncbi")],
    without: Annotated[str | None, ingest.WITHOUT] = None,
    with_file: Annotated[str | None, ingest.WITH] = None,
    allow_gaps: Annotated[bool, ingest.GAPS] = False,
    allow_removed: Annotated[bool, index.REMOVED] = False,
    mesh_tree: Annotated[str | None, ingest.MESH_TREE] = None,
    service: Annotated[str | None, SERVICE] = None,
    dry_run: Annotated[bool, DRY_RUN] = False,
) -> NightReport | NightForecast:
    """Run a night, or say what it will take.

    Raises:
        PubrayError: of a stage; those before it are done.
    """
    if dry_run:
        return forecast(config, source, without=without, with_file=with_file)
    of_ingest = {"without": without, "with_file": with_file, "allow_gaps": allow_gaps, "mesh_tree": mesh_tree}
    return night(config, source=source, allow_removed=allow_removed, service=service, **of_ingest)


@tells_its_end
@writes("nightly")
def night(
    config: Config, *, source: str, allow_removed: bool = False, service: str | None = None, **of_ingest: Any
) -> NightReport:
    """Run the stages; the report of the night is in the store from its start on, also where a stage fails.

    of_ingest: other options of that.

    Raises:
        PubrayError: of a stage; those before it are done.
    """
    record = Record(open_store(config), NIGHT)
    logs = RunLogs(open_store(config), record.name, config.placement)
    stages = Stages(
        lambda name: record.stage(name, _so_far(stages) | {"logs": logs.keep()}),
        Deadlines(config.night).of,
        lambda: usd_per_hour(config),
    )
    try:
        begun = read_current(open_store(config))
        ingested = stages.run("ingest", ingest.run, config, source=source, **of_ingest)
        report = _run(config, begun, ingested, stages, allow_removed=allow_removed, service=service)
    except BaseException as error:
        with suppress(OSError, PubrayError):  # what went wrong first is what is told
            record.end(outcome_of(root_cause(error)), _failed(stages, error) | {"logs": logs.keep(error)}, None)
        raise
    values = json_values(report) | _ended(report) | {"logs": logs.keep()}
    record.end(_outcome(report, begun), values, report.version, report.figures)
    return report


def _ended(report: NightReport) -> dict[str, Any]:
    """Return how the command ends that shows this report."""
    code, why = report.trouble or (0, None)
    return {"exit_code": code, **({"error": why} if why else {})}


def _outcome(report: NightReport, begun: Current | None) -> str:
    if report.trouble:
        return OUTCOMES.get(report.trouble[0], "failed")
    # What is promoted may have been built by an earlier night, which was held.
    moved = report.version != (begun.version if begun else None)
    return "done" if report.index.built or moved else "nothing new"


def show(report: NightReport | NightForecast) -> str:
    if isinstance(report, NightForecast):
        return _show_forecast(report)
    ingested, embedded, built, compacted = report.ingest, report.embed, report.index, report.compact
    files = (
        f"{ingested.ingested} new files: {ingested.added:,} added, {ingested.revised_text:,} texts and "
        f"{ingested.revised_metadata:,} other records revised, {ingested.deleted:,} deleted"
    )
    did = {
        "ingest": files if ingested.ingested else "no new files",
        "embed": f"{embedded.encoded:,} encoded, {embedded.copied:,} copied",
        "index": f"{built.articles:,} articles in {built.segments} segments, {built.dead_rows:,} dead rows, "
        f"recall@10 {built.recall_at_10:.3f}",
        "compact": compacted.reason if compacted else "not reached",
    }
    rows = [[stage, report.seconds.get(stage), text] for stage, text in did.items()]
    head = f"CURRENT is {report.version}"
    if report.withdrawn:
        head += f"; {built.version} was withdrawn before, and is promoted only by name"
    told = [f"promoted by name: {why}" for why in report.by_name]
    told += [compacted.advice] if compacted and compacted.advice else []
    return "\n".join([head, table(["stage", "seconds", ""], rows), *told])


def _show_forecast(report: NightForecast) -> str:
    by = f"by {report.nights} nights before" if report.nights else "by pubray plan"
    rows: list[list[object]] = [
        ["new files", report.files, megabytes(report.bytes)],
        ["their records", report.records, "guessed by the last files"],
        ["articles to encode", report.encoded, "at most"],
        ["hours", report.hours, by],
        ["USD", report.usd, "of these machines for so long"],
    ]
    rows += [["compaction", "due", report.compaction]] if report.compaction else []
    rows += [["free", node, megabytes(room)] for node, room in report.free.items()]
    return table(["of the next night", "", ""], rows)


def _run(
    config: Config,
    begun: Current | None,
    ingested: IngestReport,
    stages: Stages,
    *,
    allow_removed: bool,
    service: str | None,
) -> NightReport:
    by_name = _not_passed(config)
    embedded = stages.run("embed", embed.run, config)
    built = stages.run("index", index.run, config, allow_removed=allow_removed)
    withdrawn = built.version in promote.withdrawn(open_store(config))
    promoted = compacted = not_served = None
    if not (withdrawn or built.trouble):
        promoted = stages.run("promote", promote.over_its_parent, config, built.version, begun)
    if promoted and not promoted.held:
        ours = read_current(open_store(config))
        compacted = stages.run("compact", compact.run, config)
        if not compacted.trouble and compacted.version not in {built.version, *promote.withdrawn(open_store(config))}:
            promoted = stages.run("promote after compact", promote.over_its_parent, config, compacted.version, ours)
    if promoted and promoted.promoted and service:
        from jobs.steps.night.service_check import why_not_served  # and torch behind it, which takes a second

        served = served_version(open_store(config))
        not_served = stages.run("service", why_not_served, config, service, served)
    current = read_current(open_store(config))
    return NightReport(
        ingest=ingested,
        embed=embedded,
        index=built,
        **({"compact": compacted} if compacted else {}),
        version=current.version if current else None,
        withdrawn=withdrawn,
        **({"held": promoted.version} if promoted and promoted.held else {}),
        **({"by_name": by_name} if by_name else {}),
        **({"not_served": not_served} if not_served else {}),
        seconds=stages.seconds,
        usd=stages.usd,
    )


def _not_passed(config: Config) -> tuple[str, ...]:
    """Return the gates that CURRENT has not passed."""
    store = open_store(config)
    known, current = versions(store), read_current(store)
    served = [version for version in known if current and version.id == current.version]
    return tuple(gate.why for version in served for gate in gates(version, config.index, known) if gate.why)


def _so_far(stages: Stages) -> dict[str, Any]:
    """Return what is kept of the stages that are done."""
    done = {name: did for name, did in stages.results.items() if name in NightReport.model_fields}
    reports = {name: json_values(did) for name, did in done.items() if isinstance(did, Report)}
    return {**reports, "seconds": dict(stages.seconds), "usd": dict(stages.usd)}


def _failed(stages: Stages, error: BaseException) -> dict[str, Any]:
    """Return what is kept of a night that failed: the reports of the stages that were done, and why one was not."""
    cause = root_cause(error)
    return {
        **_so_far(stages),
        "exit_code": exit_code_of(cause),
        "failed": next(reversed(stages.seconds), None),
        "error": why_of(cause),
    }

"""Articles of the snapshot → vector parts, by a Ray Data pipeline: read and tokenise, encode, write.

The unit of work, of streaming and of resume is a range of rows of an article part: one vector part.
"""

from typing import Annotated

from actors.embed.embed_stages import DRIFTED
from actors.fetch.stored_models import brought, found_before, tower_digests
from actors.store.stores import open_store
from jobs.common.cluster.joining import connect
from jobs.common.cluster.placement import most_of
from jobs.common.cluster.ray_metrics import EmbedMetrics
from jobs.common.console import Progress, table
from jobs.common.options import Option
from jobs.common.run_records import record_of_done
from jobs.common.run_reports import json_values
from jobs.common.store import ingested, keep_selection, snapshots, versions
from jobs.common.writer import writes
from jobs.steps.embed.embed_pipeline import written
from jobs.steps.embed.published_vectors import with_published
from retrieval.articles.snapshot import Snapshot
from retrieval.embed.rates import embed_rates
from retrieval.embed.vector_parts import row_ranges
from schemas.config import Config
from schemas.encoder import article_fingerprint
from schemas.errors import CheckError, StoreError, UsageError
from schemas.layout import Layout
from schemas.report import EmbedReport
from schemas.store import Store
from schemas.vector import EmbedCounts, EmbedPlan, RowRange

IMPORT_NPY = Option(
    "take NCBI's published MedCPT vectors from a folder, or fetch them first (164 GB with the texts that they are "
    "compared with, 4.5 hours at 10 MB/s); what is stale or missing is encoded",
    metavar="DIR|ncbi",
)


@writes("embed")
def run(
    config: Config,
    *,
    import_npy: Annotated[str | None, IMPORT_NPY] = None,
    check: Annotated[int, Option("first compare N published vectors with the encoder's own", metavar="N")] = 0,
) -> EmbedReport:
    """Write the missing vector parts of the newest snapshot.

    Raises:
        UsageError: there are no GPUs of those that it wants, or the published vectors are another encoder's.
        StoreError: nothing was ingested, or some parts could not be written; the others are.
        CheckError: an encoder makes other vectors than are there.
    """
    store = open_store(config)
    snapshot = ingested(store)
    config = found_before(config, versions(store))
    selection = keep_selection(store, config.selection)
    fingerprint = article_fingerprint(config.encoder, tower_digests(config.encoder.article, config))
    plan = EmbedPlan(snapshot.id, selection, fingerprint)
    missing = _missing(config, store, plan, snapshot)
    totals, seconds, agreement = EmbedCounts(), 0.0, None
    if missing:
        config = brought(config, config.encoder.article)
        plan = plan._replace(earlier=_earlier(config, store, plan))
        if import_npy:
            plan, agreement = with_published(config, plan, missing, import_npy, check)
        totals, seconds = _embed(config, plan, missing)
    report = EmbedReport(
        snapshot=snapshot.id,
        fingerprint=fingerprint,
        selection=selection,
        parts=len(row_ranges(snapshot.info.parts, config.embed.rows_per_part)),
        embedded_parts=len(missing),
        **totals.model_dump(),
        **embed_rates(totals, seconds).model_dump(),
        **({"check": agreement} if agreement else {}),
    )
    if missing:
        record_of_done(store, "embed", json_values(report))
    return report


def show(report: EmbedReport) -> str:
    head = f"vectors {report.fingerprint}/{report.selection}: {report.embedded_parts} of {report.parts} parts were new"
    if not report.embedded_parts:
        return head
    of_articles = ["rows", "encoded", "copied", "without_title", "without_abstract", "cut"]
    if report.imported:
        of_articles[3:3] = ["imported", "unverified", "stale", "unpublished"]
    of_rates = ("articles_per_second", "tokens_per_second", "padding_waste", "mfu", "waiting")
    of_time = ("seconds", "start_up_seconds", "read_seconds", "encode_seconds", "wait_seconds", "write_seconds")
    rows = [[key.replace("_", " "), getattr(report, key)] for key in (*of_articles, *of_rates, *of_time)]
    if report.probed:
        rows.append(["cosine with vectors that were there", report.probe_cosine / report.probed])
    return f"{head}\n{table(['of the new parts', 'value'], rows)}"


def _missing(config: Config, store: Store, plan: EmbedPlan, snapshot: Snapshot) -> list[RowRange]:
    """Return the ranges of a snapshot whose vector parts are not there."""
    present = set(store.names(Layout.vector_parts(plan.fingerprint, plan.selection)))
    ranges = row_ranges(snapshot.info.parts, config.embed.rows_per_part)
    return [rows for rows in ranges if f"{rows.name}.parquet" not in present]


def _earlier(config: Config, store: Store, plan: EmbedPlan) -> str | None:
    """Return the newest snapshot whose vector parts are all there, None if there is none."""
    embedded = (s.id for s in reversed(snapshots(store)) if not _missing(config, store, plan, s))
    return next(embedded, None)


def _embed(config: Config, plan: EmbedPlan, missing: list[RowRange]) -> tuple[EmbedCounts, float]:
    """Run the pipeline over the missing ranges; return what it did, and in how many seconds.

    Raises:
        UsageError: there are no GPUs of those that it wants.
        StoreError: some of them could not be written; the others are.
    """
    progress = Progress("embed", sum(r.stop - r.start for r in missing), "rows", "tokens")
    connect(config)
    if (wanted := config.embed.num_gpus) > (there := most_of("GPU", config.placement.encode)):
        raise UsageError(f"embed.num_gpus = {wanted}, but there are {there:g} GPUs, and will be no more; set it to 0")
    metrics, totals, left = EmbedMetrics(), EmbedCounts(), {r.name for r in missing}
    failures: list[str] = []
    for done in written(config, plan, missing):
        counts = EmbedCounts.model_validate_json(done["counts"])
        if done["error"]:
            failures.append(done["error"])
            progress.log(f"{done['name']} failed: {done['error']}")
            continue
        totals += counts
        metrics.add(counts)
        left.discard(done["name"])
        progress.add(counts.rows, counts.tokens)
    seconds = progress.finish()
    _check_complete(failures, left)
    return totals, seconds


def _check_complete(failures: list[str], left: set[str]) -> None:
    if failures:
        failures.sort(key=lambda why: not why.startswith(DRIFTED))
        more = f" (and {len(failures) - 1} more vector parts)" if len(failures) > 1 else ""
        kind = CheckError if failures[0].startswith(DRIFTED) else StoreError
        raise kind(f"{failures[0]}{more}; the other vector parts are written")
    if left:
        raise StoreError(f"{len(left)} vector parts were not written, {min(left)} among them; run pubray embed again")

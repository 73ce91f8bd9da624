"""Articles of the snapshot → vector parts, by a Ray Data pipeline: read and tokenise, encode, write.

The unit of work, of streaming and of resume is a range of rows of an article part: one vector part.
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError

from actors.embed.embed_stages import EncodeRange, TokenizeRange, WriteRange
from actors.fetch.model_folders import tower_digests
from jobs.common.cluster import connect, gpus
from jobs.common.console import Progress, table
from jobs.common.ray_metrics import EmbedMetrics
from jobs.common.run_reports import write_report
from jobs.common.store import ingested, load_selection, open_layout, snapshots
from jobs.steps.published_vectors import check_sample, prepare_chunks, published_folder
from retrieval.articles.snapshot import Snapshot
from retrieval.embed.vector_parts import row_ranges
from schemas.config import Config
from schemas.encoder import article_fingerprint
from schemas.errors import StoreError, UsageError
from schemas.layout import Layout
from schemas.vector import EmbedCounts, EmbedPlan, RowRange

TRIES = 3
"""Of a range whose worker process dies. Ray Data's own rule is to try for ever."""
MAX_RESTARTS = 6
"""Of a worker; those that die while they start have no range to count for."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the job's options."""
    parser.add_argument(
        "--import-npy",
        metavar="DIR|ncbi",
        help="take NCBI's published MedCPT vectors from a folder, or fetch them first (164 GB with the texts that they "
        "are compared with, 4.5 hours at 10 MB/s); what is stale or missing is encoded",
    )
    parser.add_argument(
        "--check", type=int, default=0, metavar="N", help="first compare N published vectors with the encoder's own"
    )


def run(config: Config, options: argparse.Namespace) -> dict[str, Any]:
    """Write the missing vector parts of the newest snapshot."""
    layout = open_layout(config)
    snapshot = ingested(layout)
    selection, pmids = load_selection(config.selection)
    fingerprint = article_fingerprint(config.encoder, tower_digests(config.encoder.article, Path(config.cache)))
    plan = EmbedPlan(snapshot.id, selection, pmids, fingerprint)
    missing = _missing(config, layout, plan, snapshot)
    report: dict[str, Any] = {
        "snapshot": snapshot.id,
        "fingerprint": fingerprint,
        "selection": selection,
        "parts": len(row_ranges(snapshot.info.parts, config.embed.rows_per_part)),
        "embedded_parts": len(missing),
    }
    if not missing:
        return report | _report(EmbedCounts(), 0.0, 1)
    plan = plan._replace(earlier=_earlier(config, layout, plan))
    if options.import_npy:
        folder = published_folder(config, options.import_npy)
        connect()
        prepare_chunks(config, folder)
        if options.check:
            report["check"] = check_sample(config, folder, missing, options.check, _threads(config, 1))._asdict()
        plan = plan._replace(published=folder)
    report |= _embed(config, plan, missing)
    write_report(layout, "embed", report)
    return report


def show(report: dict[str, Any]) -> str:
    """Return the report for a person."""
    head = "vectors {fingerprint}/{selection}: {embedded_parts} of {parts} parts were new".format(**report)
    if not report["embedded_parts"]:
        return head
    of_articles = ["rows", "encoded", "copied", "without_title", "without_abstract", "cut"]
    if report["imported"]:
        of_articles[3:3] = ["imported", "unverified", "stale", "unpublished"]
    of_rates = ("articles_per_second", "tokens_per_second", "padding_waste", "mfu", "waiting")
    of_time = ("seconds", "start_up_seconds", "read_seconds", "encode_seconds", "wait_seconds", "write_seconds")
    rows = [[key.replace("_", " "), report[key]] for key in (*of_articles, *of_rates, *of_time)]
    return f"{head}\n{table(['of the new parts', 'value'], rows)}"


def _missing(config: Config, layout: Layout, plan: EmbedPlan, snapshot: Snapshot) -> list[RowRange]:
    """Return the ranges of a snapshot whose vector parts are not there."""
    folder = Path(layout.vector_parts(plan.fingerprint, plan.selection))
    present = {file.stem for file in folder.glob("*.parquet")}
    ranges = row_ranges(snapshot.info.parts, config.embed.rows_per_part)
    return [rows for rows in ranges if rows.name not in present]


def _earlier(config: Config, layout: Layout, plan: EmbedPlan) -> str | None:
    """Return the newest snapshot whose vector parts are all there, None if there is none."""
    embedded = (s.id for s in reversed(snapshots(layout)) if not _missing(config, layout, plan, s))
    return next(embedded, None)


def _embed(config: Config, plan: EmbedPlan, missing: list[RowRange]) -> dict[str, Any]:
    """Run the pipeline over the missing ranges; return what it did.

    Raises:
        UsageError: there are no GPUs of those that it wants.
        StoreError: some of them could not be written; the others are.
    """
    progress = Progress("embed", sum(r.stop - r.start for r in missing), "rows", "tokens")
    connect()
    if config.embed.num_gpus > gpus():
        raise UsageError(f"embed.num_gpus = {config.embed.num_gpus}, but this machine has {gpus():g}; set it to 0")
    metrics, totals, left = EmbedMetrics(), EmbedCounts(), {r.name for r in missing}
    failures: list[str] = []
    for written in _written(config, plan, missing):
        counts = EmbedCounts.model_validate_json(written["counts"])
        if written["error"]:
            failures.append(written["error"])
            progress.log(f"{written['name']} failed: {written['error']}")
            continue
        totals += counts
        metrics.add(counts)
        left.discard(written["name"])
        progress.add(counts.rows, counts.tokens)
    seconds = progress.finish()
    _check_complete(failures, left)
    return _report(totals, seconds, _actors(config, missing))


def _check_complete(failures: list[str], left: set[str]) -> None:
    if failures:
        more = f" (and {len(failures) - 1} more vector parts)" if len(failures) > 1 else ""
        raise StoreError(f"{failures[0]}{more}; the other vector parts are written")
    if left:
        raise StoreError(f"{len(left)} vector parts were not written, {min(left)} among them; run pubray embed again")


def _written(config: Config, plan: EmbedPlan, missing: list[RowRange]) -> Iterator[dict[str, Any]]:
    """Yield the ranges as they are written.

    Raises:
        StoreError: a worker process cannot start, or dies again and again.
    """
    try:
        yield from pipeline(config, plan, missing).iter_rows()
    except RayActorError as error:
        if error.actor_init_failed:
            # Ray keeps only the text of what was raised, and that comes last.
            raise StoreError(f"a worker of embed cannot start: {str(error).strip().splitlines()[-1]}") from None
        raise StoreError(
            f"a worker of embed died {TRIES} times at one range, or while it started; if memory is short, lower "
            "engine.batch_tokens or embed.actors; what is written is kept, run pubray embed again"
        ) from None


def pipeline(
    config: Config, plan: EmbedPlan, missing: list[RowRange], encoder: type[EncodeRange] = EncodeRange
) -> ray.data.Dataset:
    """Return the dataset of the ranges as they are written: columns `name`, `counts` in JSON, `error`."""
    actors = _actors(config, missing)
    threads = _threads(config, actors)
    common: dict[str, Any] = {
        "batch_size": 1,
        "batch_format": "pyarrow",
        "max_task_retries": TRIES - 1,
        "max_restarts": MAX_RESTARTS,
    }
    helpers = {"compute": ray.data.ActorPoolStrategy(min_size=1, max_size=actors), "num_cpus": 0.25, **common}
    ranges = ray.data.from_items([{"range": r.model_dump_json()} for r in missing], override_num_blocks=len(missing))
    # Not map_batches(), which takes no limits of retries without a warning.
    tokens = ranges.map_batches_internal(TokenizeRange, fn_constructor_args=(config, plan), **helpers)
    # No CPU is reserved: actors that hold every CPU keep the other stages from running, for ever.
    vectors = tokens.map_batches_internal(
        encoder,
        fn_constructor_args=(config, threads),
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_cpus=0,
        num_gpus=config.embed.num_gpus,
        **common,
    )
    return vectors.map_batches_internal(WriteRange, fn_constructor_args=(config, plan), **helpers)


def _threads(config: Config, actors: int) -> int:
    return config.embed.threads or max(1, (os.cpu_count() or 1) // actors)


def _actors(config: Config, missing: list[RowRange]) -> int:
    return min(config.embed.actors, len(missing))


def _report(totals: EmbedCounts, seconds: float, actors: int) -> dict[str, Any]:
    """Return the counts, and the rates while encoders were up: they worked, or waited for input."""
    working = (totals.encode_seconds + totals.wait_seconds) / actors
    return {
        **totals.model_dump(),
        "articles_per_second": totals.encoded / working if working else 0.0,
        "tokens_per_second": totals.tokens / working if working else 0.0,
        "padding_waste": 1 - totals.tokens / totals.padded_tokens if totals.padded_tokens else 0.0,
        "mfu": totals.flops / totals.peak_flops if totals.peak_flops else 0.0,
        "waiting": totals.wait_seconds / actors / working if working else 0.0,
        "seconds": seconds,
        "start_up_seconds": seconds - working,
    }

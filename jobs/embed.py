"""Articles of the snapshot → vector parts, by a Ray Data pipeline: read and tokenise, encode, write.

The unit of work, of streaming and of resume is a range of rows of an article part: one vector part.
"""

import argparse
import os
from pathlib import Path
from typing import Any

import ray

from actors.embedding import EncodeRange, TokenizeRange, WriteRange
from actors.models import tower_digests
from jobs.cluster import connect
from jobs.console import Progress, table
from jobs.store import ingested, load_selection, open_layout
from retrieval.parts import row_ranges
from schemas.config import Config
from schemas.encoder import article_fingerprint
from schemas.layout import Layout
from schemas.vector import RowRange


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the job's options: none of its own."""


def run(config: Config, options: argparse.Namespace) -> dict[str, Any]:
    """Write the missing vector parts of the newest snapshot."""
    layout = open_layout(config)
    snapshot = ingested(layout)
    selection, pmids = load_selection(config.selection)
    fingerprint = article_fingerprint(config.encoder, tower_digests(config.encoder.article, Path(config.cache)))
    ranges = row_ranges(snapshot.info.parts, config.embed.rows_per_part)
    missing = [r for r in ranges if not Path(layout.vector_part(fingerprint, selection, r.name)).exists()]
    return {
        "fingerprint": fingerprint,
        "selection": selection,
        "parts": len(ranges),
        "embedded_parts": len(missing),
        **_embed(config, layout, missing, (snapshot.id, fingerprint, selection), pmids),
    }


def show(report: dict[str, Any]) -> str:
    """Return the report for a person."""
    new = f"{report['embedded_parts']} of {report['parts']} parts were new"
    head = f"vectors {report['fingerprint']}/{report['selection']}: {new}"
    rows = [[key, report[key]] for key in ("vectors", "tokens", "seconds", "vectors_per_second")]
    return f"{head}\n{table(['of the new parts', 'value'], rows)}"


def _embed(
    config: Config, layout: Layout, missing: list[RowRange], names: tuple[str, str, str], pmids: Any
) -> dict[str, float]:
    """Run the pipeline over the missing ranges; return what it did."""
    totals = {"vectors": 0, "tokens": 0}
    if not missing:
        return {**totals, "seconds": 0.0, "vectors_per_second": 0.0}
    connect()
    snapshot, fingerprint, selection = names
    actors = min(config.embed.actors, len(missing))
    threads = config.embed.threads or max(1, (os.cpu_count() or 1) // actors)
    progress = Progress("embed", sum(r.stop - r.start for r in missing), "rows")
    rows = {r.name: r.stop - r.start for r in missing}
    dataset = (
        ray.data.from_items([{"range": r.model_dump_json()} for r in missing], override_num_blocks=len(missing))
        .map_batches(
            TokenizeRange,
            fn_constructor_args=(config, snapshot, pmids),
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors),
            batch_size=1,
            batch_format="pyarrow",
            num_cpus=0.25,
        )
        # No CPU is reserved: actors that hold every CPU keep the other stages from running, for ever.
        .map_batches(
            EncodeRange,
            fn_constructor_args=(config, threads),
            compute=ray.data.ActorPoolStrategy(size=actors),
            batch_size=1,
            batch_format="pyarrow",
            num_cpus=0,
            num_gpus=config.embed.num_gpus,
        )
        .map_batches(
            WriteRange,
            fn_constructor_args=(config, fingerprint, selection),
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors),
            batch_size=1,
            batch_format="pyarrow",
            num_cpus=0.25,
        )
    )
    for written in dataset.iter_rows():
        totals["vectors"] += written["vectors"]
        totals["tokens"] += written["tokens"]
        progress.add(rows[written["name"]])
    seconds = progress.finish()
    return {**totals, "seconds": seconds, "vectors_per_second": totals["vectors"] / seconds}

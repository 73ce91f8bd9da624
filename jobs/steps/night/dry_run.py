"""What a night will take, before it begins: nothing is changed, and of what is new nothing is read."""

import os

from actors.store.stores import open_store
from jobs.common.cluster.joining import connect, is_private
from jobs.common.cluster.nodes import free_bytes, free_on_nodes, usd_per_hour
from jobs.common.cluster.placement import NIGHT_WORK, nodes_for
from jobs.common.encoders import figures_of
from jobs.common.run_records import runs
from jobs.common.store import newest_snapshot, read_current, snapshots, versions
from jobs.steps.ingest.news import news
from jobs.steps.ingest.source_files import Origin, open_origin
from retrieval.articles.snapshot import Snapshot
from retrieval.embed.vector_parts import row_ranges
from retrieval.index.upkeep import due_compaction
from retrieval.ingest.lineage import line_of_descent
from retrieval.operate.forecast import encoded_of, mean_bytes, rates, records_in
from retrieval.operate.planning import Planner, Scale
from schemas.config import Config
from schemas.figures import ENCODERS, FIGURES, GPUS
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.night_report import NightForecast
from schemas.run import NightFigures
from schemas.store import Store

LAST = 14
"""Nights by which the next is guessed."""
HOUR = 3600.0
GPU = GPUS["h100"]


def forecast(config: Config, source: str, *, without: str | None, with_file: str | None) -> NightForecast:
    """Return what a night will take.

    Raises:
        InputError: there is no such source, or its files cannot be used.
        UsageError: a file that is to be left out, or taken in again, is nowhere.
    """
    store = open_store(config)
    previous, served = newest_snapshot(store), _served(store)
    with open_origin(config, source, baseline=False) as origin:
        missing = news(store, origin, previous, without=without, with_file=with_file).missing
        size = _bytes(origin, missing, previous)
        records = _records(origin, missing, previous)
    line = line_of_descent(snapshots(store)) if previous else []
    encoded = encoded_of(records, line) + _unembedded(config, store, previous, served)
    known = rates([run.figures for run in runs(store).runs if isinstance(run.figures, NightFigures)][-LAST:])
    cores, gpus = os.cpu_count() or 1, round(config.embed.fewest * config.embed.num_gpus)
    alive = previous.info.counts.alive if previous else 0
    hours = known.seconds(encoded) / HOUR if known else _planned(config, alive + records, records, cores, gpus)
    compaction = due_compaction(served, config.index, coming=bool(missing)) if served else None
    needed = 2 * max(_shards(served).values()) if served and compaction else 0
    free = _free(config)
    return NightForecast(
        files=len(missing),
        bytes=size,
        records=records,
        encoded=encoded,
        hours=hours,
        usd=hours * usd_per_hour(config),
        nights=known.nights if known else 0,
        compaction=compaction,
        node_bytes=needed,
        free=free,
        failures=tuple(
            f"{node} has {room / 1e9:.1f} GB free, a compaction needs {needed / 1e9:.1f} GB of a node"
            for node, room in free.items()
            if room < needed
        ),
    )


def _served(store: Store) -> IndexVersion | None:
    current = read_current(store)
    return next((version for version in versions(store) if current and version.id == current.version), None)


def _bytes(origin: Origin, missing: list[str], previous: Snapshot | None) -> int:
    """Return the bytes of the files that are new; where nobody tells them, those of the last ones."""
    told = [origin.found[file].bytes for file in missing if file in origin.found]
    return sum(told) + round((len(missing) - len(told)) * mean_bytes(previous.info if previous else None))


def _records(origin: Origin, missing: list[str], previous: Snapshot | None) -> int:
    """Return how many records the files have that are new: Parquet says so, others are guessed by their bytes."""
    rows, others = 0, list[str]()
    for file in missing:
        if file.endswith(".parquet"):
            with origin.store.parquet(file) as opened:
                rows += opened.metadata.num_rows
        else:
            others.append(file)
    return rows + records_in(_bytes(origin, others, previous), previous.info if previous else None)


def _unembedded(config: Config, store: Store, snapshot: Snapshot | None, served: IndexVersion | None) -> int:
    """Return in how many rows the vector parts lack of what was ingested already; of another encoder all do."""
    if snapshot is None:
        return 0
    if served is None or served.encoder != config.encoder:
        return snapshot.info.counts.alive
    there = set(store.names(Layout.vector_parts(served.fingerprint, served.selection)))
    ranges = row_ranges(snapshot.info.parts, config.embed.rows_per_part)
    return sum(rows.stop - rows.start for rows in ranges if f"{rows.name}.parquet" not in there)


def _planned(config: Config, articles: int, records: int, cores: int, gpus: int) -> float:
    """Return the hours by `pubray plan`; of an encoder that it does not know those of the smallest that it knows."""
    encoder = figures_of(config) or ENCODERS["minilm"]
    return Planner(config, encoder, Scale(max(1, articles), records, cores, gpus, GPU), FIGURES).night().hours


def _shards(version: IndexVersion) -> dict[int, int]:
    """Return the bytes of each shard."""
    found = dict.fromkeys((segment.shard for segment in version.segments), 0)
    for segment in version.segments:
        found[segment.shard] += segment.bytes
    return found


def _free(config: Config) -> dict[str, int]:
    """Return the free bytes of the disk on which a node works: of this one, or of all that a night has."""
    folder = open_store(config).work("")
    if is_private():
        return {"this machine": free_bytes(folder)}
    connect(config)
    return free_on_nodes(str(folder), nodes_for(config.placement, NIGHT_WORK))

"""What the tasks that make versions reserve: memory by the same arithmetic as `pubray plan`, from what is there."""

from typing import Any

from actors.fetch.stored_models import weight_bytes
from actors.store.stores import open_store
from jobs.common.cluster.placement import free_cores, most_of, place
from retrieval.operate import memory
from schemas.config import Config
from schemas.layout import Layout
from schemas.manifest import IndexVersion


def building(config: Config, quantizer: str, rows: int) -> dict[str, Any]:
    """Return what a worker that builds shards of so many rows reserves."""
    held = memory.of_worker(rows, config.encoder.dimension, _bytes(config, quantizer))
    return place(config.placement, "build", held)


def merging(config: Config, quantizer: str, rows: int) -> dict[str, Any]:
    """Return what the merge of a shard of so many rows reserves."""
    return place(config.placement, "merge", memory.of_merge(rows, _bytes(config, quantizer)))


def training(config: Config, nlist: int, sample: int) -> tuple[dict[str, Any], int]:
    """Return what k-means reserves, and how many threads it has. It takes a GPU where it runs beside the encoders."""
    where = config.placement
    beside = where.train == where.encode
    gpus = min(1.0, config.embed.num_gpus, most_of("GPU", where.train)) if beside else 0.0
    cores = free_cores(config, "train")
    held = memory.of_training(sample, nlist, config.encoder.dimension)
    return place(where, "train", held, cores=cores, gpus=gpus), cores


def checking(config: Config, rows: int, quantizer: str | None = None) -> dict[str, Any]:
    """Return what looks at so many rows reserves; with a quantizer if it opens segments."""
    return place(config.placement, "check", memory.of_checks(rows, _bytes(config, quantizer) if quantizer else 0))


def asking(config: Config, version: IndexVersion) -> tuple[dict[str, Any], int]:
    """Return what puts queries to a version reserves, and how many threads it has."""
    cores = free_cores(config, "check")
    encoder = memory.of_engine(weight_bytes(config.encoder.query, config))
    held = memory.of_checks(version.rows, _bytes(config, version.quantizer)) + encoder
    return place(config.placement, "check", held, cores=cores), cores


def _bytes(config: Config, quantizer: str) -> int:
    facts = open_store(config).facts(Layout.quantizer(quantizer))
    return facts.bytes if facts else 0  # what reads it tells that it is not there

"""The Ray Data pipeline of embed: read and tokenise, encode, write; a range of rows at a time."""

from collections.abc import Iterator
from typing import Any

import ray
from ray.exceptions import RayActorError

from actors.embed.embed_stages import EncodeRange, TokenizeRange, WriteRange
from actors.fetch.stored_models import by_names, weight_bytes
from jobs.common.cluster.placement import largest, most_nodes, most_of, nodes_of, place
from retrieval.operate import memory
from schemas.config import Config
from schemas.errors import StoreError
from schemas.vector import EmbedPlan, RowRange

TRIES = 3
"""Of a range whose worker process dies. Ray Data's own rule is to try for ever."""
SHARE = 0.01
"""Of a core that an encoder reserves, which uses them all: actors that hold every core keep the other stages from
running, for ever; and those that reserve nothing are not spread over the nodes."""
MAX_RESTARTS = 6
"""Of a worker; those that die while they start have no range to count for."""


def written(config: Config, plan: EmbedPlan, missing: list[RowRange]) -> Iterator[dict[str, Any]]:
    """Yield the ranges as they are written.

    Raises:
        StoreError: a worker process cannot start, or dies again and again.
    """
    try:
        yield from pipeline(config, plan, missing).iter_rows()
    except RayActorError as error:
        if error.actor_init_failed:
            # Ray keeps only the text of what was raised, and that comes last.
            why = by_names(str(error).strip().splitlines()[-1], config)
            raise StoreError(f"a worker of embed cannot start: {why}") from None
        raise StoreError(
            f"a worker of embed died {TRIES} times at one range, or while it started; if memory is short, lower "
            "engine.batch_tokens or embed.actors; what is written is kept, run pubray embed again"
        ) from None


def pipeline(
    config: Config, plan: EmbedPlan, missing: list[RowRange], encoder: type[EncodeRange] = EncodeRange
) -> "ray.data.Dataset":
    """Return the dataset of the ranges as they are written: columns `name`, `counts` in JSON, `error`."""
    least, most = encoders(config, len(missing))
    common: dict[str, Any] = {
        "batch_size": 1,
        "batch_format": "pyarrow",
        "max_task_retries": TRIES - 1,
        "max_restarts": MAX_RESTARTS,
    }
    helpers = {
        "compute": ray.data.ActorPoolStrategy(min_size=1, max_size=most),
        **place(config.placement, "tokenise", memory.PROCESS, cores=0.25),
        **common,
    }
    weights = weight_bytes(config.encoder.article, config)
    ranges = ray.data.from_items([{"range": r.model_dump_json()} for r in missing], override_num_blocks=len(missing))
    # Not map_batches(), which takes no limits of retries without a warning.
    tokens = ranges.map_batches_internal(TokenizeRange, fn_constructor_args=(config, plan), **helpers)
    vectors = tokens.map_batches_internal(
        encoder,
        fn_constructor_args=(config, plan, beside(config, most)),
        compute=ray.data.ActorPoolStrategy(min_size=least, max_size=most),
        **place(config.placement, "encode", memory.of_engine(weights), cores=SHARE, gpus=config.embed.num_gpus),
        **common,
    )
    return vectors.map_batches_internal(WriteRange, fn_constructor_args=(config, plan), **helpers)


def encoders(config: Config, ranges: int) -> tuple[int, int]:
    """Return how many actors encode so many ranges, at least and at most."""
    if config.embed.actors != "auto":
        return (fixed := min(config.embed.actors, ranges)), fixed
    gpus, group = config.embed.num_gpus, config.placement.encode
    there = most_of("GPU", group) / gpus if gpus else most_nodes(group)
    return 1, int(max(1, min(there, config.embed.max_actors, ranges)))


def beside(config: Config, most: int) -> int:
    """Return how many of so many actors are on a node, whose cores they share."""
    gpus, group = config.embed.num_gpus, config.placement.encode
    if config.embed.actors != "auto":
        return -(-most // max(1, nodes_of(group)))
    return min(most, max(1, int(largest("GPU", group) / gpus))) if gpus else 1

"""Whether the nodes of a cluster can do the work, before any of it is paid for."""

import os
import shutil
import uuid
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from jobs.common.cluster.placement import NIGHT_WORK, nodes_for
from retrieval.files.checked import write_bytes
from schemas.config import Config
from schemas.errors import PubrayError, StoreError
from schemas.figures import FIGURES, GPUS
from schemas.layout import Layout
from schemas.store import Store

SECONDS = 60.0
"""In which a node must answer."""
ACCELERATOR = "accelerator_type:"
"""Begins the resource by which Ray tells the kind of a node's GPUs."""
DEAREST = "h100"


def check_nodes(store: Store, nodes: Iterable[dict[str, Any]]) -> None:
    """Let nodes read from the store what this process has just written to it.

    Raises:
        StoreError: a node does not see the store, cannot keep what it reads of it, has another pubray, or is silent.
    """
    key = Layout.probe(uuid.uuid4().hex)
    write_bytes(store, key, key.encode())
    try:
        asked = {_on(_look, node).remote(store, key, version("pubray")): node for node in nodes}
        answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=SECONDS)
        problems = [
            f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}) {why}"
            for look, node in asked.items()
            if (why := _why_not(look) if look in answered else f"was silent for {SECONDS:g} s")
        ]
    finally:
        store.remove(key)
    if problems:
        more = f" (and {len(problems) - 1} more nodes)" if len(problems) > 1 else ""
        raise StoreError(f"node {problems[0]}{more}; mend it, or take it out of the cluster")


def free_on_nodes(folder: str, nodes: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Return the free bytes of the disk on which a folder of each node is, by their names."""
    asked = {node["NodeManagerHostname"]: _on(_free, node).remote(folder) for node in nodes}
    return dict(zip(asked, ray.get(list(asked.values()), timeout=SECONDS), strict=True))


def usd_per_hour(config: Config) -> float:
    """Return what the nodes of a night cost by the list prices of `pubray plan`, GPUs of unknown kind the most.

    Where no cluster is joined it is this machine, with the GPUs that encoders take.
    """
    if not ray.is_initialized():
        return price_of({"CPU": os.cpu_count() or 1, "GPU": round(config.embed.fewest * config.embed.num_gpus)})
    return sum(price_of(node["Resources"]) for node in nodes_for(config.placement, NIGHT_WORK))


def price_of(resources: Mapping[str, float]) -> float:
    """Return what a node with such resources, as Ray names them, costs an hour."""
    kinds = [name.removeprefix(ACCELERATOR).lower() for name in resources if name.startswith(ACCELERATOR)]
    gpu = GPUS.get(kinds[0] if kinds else DEAREST, GPUS[DEAREST])
    return resources.get("CPU", 0) * FIGURES.core_hour.value + resources.get("GPU", 0) * gpu.hour.value


def _on(task: Any, node: dict[str, Any]) -> Any:
    return task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))


def _why_not(answer: ray.ObjectRef[Any]) -> str | None:
    try:
        said: str | None = ray.get(answer)
    except RayError as error:  # its pubray does not know this module, or it went
        return f"cannot look at the store: {str(error).strip().splitlines()[-1]}"
    return said


@ray.remote(num_cpus=0, max_retries=0)
def _free(folder: str) -> int:
    return free_bytes(Path(folder))


def free_bytes(folder: Path) -> int:
    """Return what is free on the disk of a folder, which need not be there yet."""
    return shutil.disk_usage(folder).free if folder.exists() else free_bytes(folder.parent)


@ray.remote(num_cpus=0, max_retries=0)
def _look(store: Store, key: str, pubray: str) -> str | None:
    return why_unfit(store, key, pubray)


def why_unfit(store: Store, key: str, pubray: str) -> str | None:
    """Return why this process cannot work on a store, where an object holds its key, for one of such a pubray."""
    if (own := version("pubray")) != pubray:
        return f"has pubray {own}, this process {pubray}"
    try:
        content = Path(store.local(key)).read_bytes()
    except (PubrayError, OSError) as error:
        return f"does not see the store {store.root}: {error}"
    return None if content == key.encode() else f"sees another store at {store.root}"

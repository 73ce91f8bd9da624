"""Where work runs: on which group of nodes, and with how much of a node; what none can hold is refused at once."""

import math
import time
from collections.abc import Iterable, Mapping
from typing import Any, get_args

import ray
from ray._private.state import available_resources_per_node

from jobs.common.cluster.scaling import can_come, is_scaled
from schemas.config import Config, NightWork, PlacementConfig, ServiceWork, Work
from schemas.errors import UsageError

LABEL = "pubray-group"
"""Of a node: the group that it belongs to."""
NIGHT_WORK, SERVICE_WORK = get_args(NightWork), get_args(ServiceWork)
SHAPES = 3
"""Kinds of nodes that are told, where none is large enough."""
SETTLING = 1.0
"""Seconds in which a job's stage before gives its cores back."""


def place(
    placement: PlacementConfig, work: Work, memory: float, *, cores: float = 1, gpus: float = 0
) -> dict[str, Any]:
    """Return what a task or an actor of some work reserves, as options of Ray. memory: bytes of its process.

    Raises:
        UsageError: there is no node that can ever hold it; says what it takes and what there is.
    """
    group, wanted = getattr(placement, work), {"CPU": cores, "GPU": gpus, "memory": math.ceil(memory)}
    labels = {LABEL: group} if group else {}
    nodes = [node["Resources"] for node in _alive(group)]
    if not any(_holds(node, wanted) for node in nodes) and not (is_scaled() and can_come(wanted, labels)):
        raise UsageError(_refusal(work, group, wanted, nodes))
    selector = {"label_selector": labels} if labels else {}
    return {"num_cpus": cores, "num_gpus": gpus, "memory": wanted["memory"], **selector}


def most_of(resource: str, group: str | None = None) -> float:
    """Return how much there is of a resource on the nodes of a group; infinite where nodes come as they are needed."""
    return math.inf if is_scaled() else sum(node["Resources"].get(resource, 0) for node in _alive(group))


def nodes_for(placement: PlacementConfig, works: Iterable[Work]) -> list[dict[str, Any]]:
    """Return the nodes that are there on which some of such work runs, and the one of this process, as Ray tells them.

    Others are left in peace: even a question to a node of the service costs that a core while its process starts.
    """
    groups, own = {getattr(placement, work) for work in works}, ray.get_runtime_context().get_node_id()
    found = _alive(None)
    return [node for node in found if None in groups or node["Labels"].get(LABEL) in groups or node["NodeID"] == own]


def nodes_of(group: str | None) -> int:
    """Return how many nodes of a group are there that have a CPU."""
    return sum(node["Resources"].get("CPU", 0) > 0 for node in _alive(group))


def most_nodes(group: str | None) -> float:
    """Return how many nodes of a group there can be; infinite where they come as they are needed."""
    return math.inf if is_scaled() else nodes_of(group)


def largest(resource: str, group: str | None) -> float:
    """Return how much of a resource that node of a group has which has most of it; 0 where there is none yet."""
    return max((node["Resources"].get(resource, 0) for node in _alive(group)), default=0)


def free_cores(config: Config, work: Work) -> int:
    """Return the cores of that node which has most of them free for some work, one at least.

    What the job before reserved is free within a moment of its end. Where there is no node yet, but will be, it is
    `night.cores`.
    """
    deadline, cores = time.monotonic() + SETTLING, 0.0
    found = _alive(getattr(config.placement, work))
    if not found and is_scaled():
        return config.night.cores
    nodes = {node["NodeID"]: node["Resources"].get("CPU", 0) for node in found}
    while cores < max(nodes.values(), default=0) and time.monotonic() < deadline:
        free = available_resources_per_node()  # type: ignore[no-untyped-call]
        cores = max(free.get(node, {}).get("CPU", 0) for node in nodes)
        time.sleep(SETTLING / 20)
    return max(1, math.floor(cores))


def _holds(resources: Mapping[str, float], wanted: Mapping[str, float]) -> bool:
    return all(resources.get(name, 0) >= amount for name, amount in wanted.items())


def _refusal(work: Work, group: str | None, wanted: Mapping[str, float], nodes: list[dict[str, float]]) -> str:
    names = [name for name, amount in wanted.items() if amount]
    takes = _told({name: wanted[name] for name in names})
    if not nodes:
        return (
            f"placement.{work} = {group!r}, but no node has the label {LABEL}={group}, nor can one come that has it "
            f"and {takes}; start ray with --labels={LABEL}={group} on some, or name another group"
        )
    shapes = dict.fromkeys(_told({name: node.get(name, 0) for name in names}) for node in nodes)
    return (
        f"{work} takes {takes} of one node; those of "
        f"{f'group {group!r}' if group else 'the cluster'} have {' or '.join(list(shapes)[-SHAPES:])}, and there will "
        "be no others; give it a larger one"
    )


def _told(amounts: Mapping[str, float]) -> str:
    units = {"CPU": "CPUs", "GPU": "GPUs"}
    told = [f"{amounts[name]:g} {unit}" for name, unit in units.items() if name in amounts]
    return " and ".join([*told, f"{amounts['memory'] / 1e9:.1f} GB of memory"])


def _alive(group: str | None) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in nodes if node["Alive"] and (group is None or node["Labels"].get(LABEL) == group)]

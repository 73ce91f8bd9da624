"""Nodes that Ray's autoscaler starts as they are needed: whether there are such, and one can come that holds work."""

import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import ray
from ray._private.ray_constants import DEBUG_AUTOSCALING_STATUS
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.autoscaler._private.util import format_readonly_node_type
from ray.autoscaler.v2.utils import is_autoscaler_v2
from ray.core.generated.autoscaler_pb2 import GetClusterStatusReply, ResourceRequest
from ray.experimental.internal_kv import _internal_kv_get

SECONDS = 30.0
"""In which the autoscaler must have told: it looks every five, and after the head's start not for some ten."""


def is_scaled() -> bool:
    """Return whether nodes are started as they are needed."""
    if is_autoscaler_v2(fetch_from_server=True):
        return True
    # The first autoscaler knows nodes that it may start by kinds, others one by one.
    said = json.loads(_internal_kv_get(DEBUG_AUTOSCALING_STATUS) or "{}")
    report = said.get("autoscaler_report") or {}
    kinds = {*(report.get("active_nodes") or {}), *(report.get("idle_nodes") or {})}
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return bool(kinds - {format_readonly_node_type(node["NodeID"]) for node in nodes})


def can_come(wanted: Mapping[str, float], labels: Mapping[str, str]) -> bool:
    """Return whether a node can come that has such resources and labels; true too where nobody tells.

    The autoscaler tells what there may be of nothing but work that waits, so a task that does nothing asks it, once.
    """
    return _can_come(ray.get_runtime_context().gcs_address, frozenset(wanted.items()), frozenset(labels.items()))


@cache
def _can_come(address: str, wanted: frozenset[tuple[str, float]], labels: frozenset[tuple[str, str]]) -> bool:
    if not is_autoscaler_v2(fetch_from_server=True):
        return True  # the first one does not tell
    amounts = dict(wanted)
    gcs = GcsClient(address)
    asking = _wait.options(
        num_cpus=amounts["CPU"], num_gpus=amounts["GPU"], memory=amounts["memory"], label_selector=dict(labels)
    ).remote()
    waits_since, deadline = None, time.monotonic() + SECONDS
    try:
        while time.monotonic() < deadline and not ray.wait([asking], timeout=0.2)[0]:
            told = GetClusterStatusReply.FromString(gcs.get_cluster_status(timeout_s=10))
            state, of = told.autoscaling_state, told.cluster_resource_state
            if waits_since is None:
                if any(_is(each.request, wanted, labels) for each in of.pending_resource_requests):
                    waits_since = of.cluster_resource_state_version
            elif state.last_seen_cluster_resource_state_version >= waits_since:
                if not any(_is(each, wanted, labels) for each in state.infeasible_resource_requests):
                    return True
                # Where nodes come already, and no more may, it says of one that the next would hold the same.
                if not (state.pending_instances or state.pending_instance_requests):
                    return False
        return True
    finally:
        ray.cancel(asking)


def _is(request: ResourceRequest, wanted: frozenset[tuple[str, float]], labels: frozenset[tuple[str, str]]) -> bool:
    asked = {name: amount for name, amount in request.resources_bundle.items() if amount}
    own = {
        (of.label_key, value)
        for selector in request.label_selectors
        for of in selector.label_constraints
        for value in of.label_values
    }
    return asked == {name: amount for name, amount in wanted if amount} and own == labels


@ray.remote(max_retries=0)
def _wait() -> None:
    """Do nothing, where there is a node."""

"""Ray's autoscaler on this machine: nodes are started as work asks for them, each a raylet of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from ray.autoscaler._private.fake_multi_node.node_provider import (
    FAKE_HEAD_NODE_ID,
    FAKE_HEAD_NODE_TYPE,
    FakeMultiNodeProvider,
)
from ray.autoscaler.tags import STATUS_UP_TO_DATE, TAG_RAY_NODE_STATUS, TAG_RAY_USER_NODE_TYPE
from ray.util import get_node_ip_address

from jobs.common.cluster.joining import check_reached
from jobs.common.cluster.placement import LABEL
from schemas.errors import UsageError
from tests.support.clusters.labelled_cluster import MEMORY, NODE_ENV, LabelledCluster, Node
from tests.support.ports import free_port
from tests.support.processes import ROOT, kill, within

COMMANDS = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
)
"""None, but the autoscaler wants each."""
COMES_UP = 60
"""Seconds."""


class NodesHere(FakeMultiNodeProvider):
    """What the autoscaler starts nodes with: Ray's own for its tests, whose nodes know no memory and one address."""

    def create_node_with_resources_and_labels(
        self,
        node_config: Mapping[str, Any],
        tags: Mapping[str, str],
        count: int,
        resources: Mapping[str, float],
        labels: Mapping[str, str],
    ) -> None:
        for _ in range(count):
            with self.lock:
                name = self._next_hex_node_id()  # type: ignore[no-untyped-call]
                started = self._start(name, tags[TAG_RAY_USER_NODE_TYPE], resources, labels)
                own: dict[str, Any] = {"tags": {**tags, TAG_RAY_NODE_STATUS: STATUS_UP_TO_DATE}, "node": started}
                self._nodes[name] = own

    def _start(
        self, name: str, kind: str, resources: Mapping[str, float], labels: Mapping[str, str]
    ) -> "subprocess.Popen[bytes]":
        has = [f"--num-cpus={resources['CPU']:g}", f"--num-gpus={resources['GPU']:g}"]
        has += [f"--memory={resources['memory']:.0f}", *(f"--labels={key}={value}" for key, value in labels.items())]
        where = [f"--address={self._gcs_address}", f"--node-ip-address=127.0.0.{self._next_node_id + 1}"]
        named = {"RAY_CLOUD_INSTANCE_ID": name, "RAY_OVERRIDE_NODE_ID_FOR_TESTING": name, "RAY_NODE_TYPE_NAME": kind}
        return _ray_start(*where, *has, environment={**os.environ, **named})

    def _terminate_node(self, node: Mapping[str, Any]) -> None:
        _kill_tree(node["node"].pid)


@contextmanager
def scaled_cluster(nodes: Sequence[Node]) -> Iterator[LabelledCluster]:
    """Start a head that takes no tasks, and each of the nodes when work asks for it; nothing is left at the end."""
    port = free_port()
    address = f"{get_node_ip_address()}:{port}"  # type: ignore[no-untyped-call]
    config = {
        **dict.fromkeys(COMMANDS, ()),
        **{"auth": {}, "file_mounts": {}, "cluster_synced_files": []},
        "cluster_name": "scaled",
        "max_workers": len(nodes),
        "idle_timeout_minutes": 10,
        "upscaling_speed": 100,
        "provider": {
            "type": "external",
            "module": f"{NodesHere.__module__}.{NodesHere.__name__}",
            "gcs_address": address,
            "head_node_id": FAKE_HEAD_NODE_ID,
        },
        "head_node_type": FAKE_HEAD_NODE_TYPE,
        "available_node_types": {
            FAKE_HEAD_NODE_TYPE: {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            **{node.group: _kind(node) for node in nodes},
        },
    }
    settings = (line.partition("=") for line in NODE_ENV.read_text().splitlines() if line.startswith("RAY_health_"))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
        **{name: value for name, _, value in settings},
        "PYTHONPATH": str(ROOT),
        "RAY_AUTH_MODE": "disabled",
        "RAY_FAKE_CLUSTER": "1",
        "RAY_NODE_TYPE_NAME": FAKE_HEAD_NODE_TYPE,
        "RAY_enable_autoscaler_v2": "1",
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_CLOUD_INSTANCE_ID": FAKE_HEAD_NODE_ID,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": FAKE_HEAD_NODE_ID,
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(json.dumps(config))
        file.flush()
        words = ["--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false"]
        head = _ray_start(*words, f"--autoscaling-config={file.name}", environment=environment)
        try:
            within(COMES_UP, lambda: _answers(address))
            yield LabelledCluster(address, [], "")
        finally:
            _kill_tree(head.pid)
            head.wait()


def _kind(node: Node) -> dict[str, Any]:
    return {
        "resources": {"CPU": node.cpus, "GPU": node.gpus, "memory": MEMORY},
        "labels": {LABEL: node.group},
        "min_workers": 0,
        "max_workers": 1,
        "node_config": {},
    }


def _ray_start(*words: str, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    ports = ["--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"]
    command = [str(Path(sys.executable).with_name("ray")), "start", "--block", *ports, "--disable-usage-stats", *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _answers(address: str) -> bool:
    try:
        check_reached(address)
    except UsageError:
        return False
    return True


def _kill_tree(process: int) -> None:
    """Kill a process and all that it has started, nodes too, as a power cut does."""
    tree = psutil.Process(process)
    for each in [tree, *tree.children(recursive=True)]:
        kill(each.pid)

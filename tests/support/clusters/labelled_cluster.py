"""Ray on several nodes of this machine, each of a group: `pubray` works there, and it is seen where what ran.

The nodes live in a process of their own, which ends with its input: the cluster of the tests is in theirs.
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import grpc
from ray.cluster_utils import Cluster
from ray.core.generated import gcs_service_pb2_grpc
from ray.core.generated.common_pb2 import TaskType
from ray.core.generated.gcs_service_pb2 import GetAllActorInfoRequest, GetAllNodeInfoRequest, GetTaskEventsRequest

from jobs.common.cluster.placement import LABEL
from tests.campaign.driven import Done, end_of
from tests.support.processes import ROOT

MEMORY = 4e9
"""Bytes that each node says it has."""


class Node(NamedTuple):
    """One of the nodes; the head is beside them and takes no tasks."""

    group: str
    cpus: float = 1
    gpus: float = 0


@dataclass
class LabelledCluster:
    """Nodes that are up."""

    address: str
    raylets: dict[str, list[int]]
    """Process ids, by group."""

    def environment(self, store: str) -> dict[str, str]:
        """Return that of a command that works on a store, on these nodes."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        return {**kept, "PUBRAY_STORE": store, "RAY_ADDRESS": self.address, "RAY_AUTH_MODE": "disabled"}

    def start(self, store: str, *arguments: str) -> "subprocess.Popen[str]":
        """Start `pubray`, in a session of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "jobs", *arguments],
            cwd=ROOT,
            env=self.environment(store),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, store: str, *arguments: str) -> Done:
        """Run `pubray` to its end."""
        with self.start(store, *arguments) as process:
            return end_of(process)

    def groups(self) -> dict[str, set[str]]:
        """Return in which groups tasks and actors ran, by their names."""
        found = defaultdict[str, set[str]](set)
        with grpc.insecure_channel(self.address) as channel:
            nodes = gcs_service_pb2_grpc.NodeInfoGcsServiceStub(channel).GetAllNodeInfo(GetAllNodeInfoRequest())
            tasks = gcs_service_pb2_grpc.TaskInfoGcsServiceStub(channel).GetTaskEvents(GetTaskEventsRequest())
            actors = gcs_service_pb2_grpc.ActorInfoGcsServiceStub(channel).GetAllActorInfo(GetAllActorInfoRequest())
        group_of = {node.node_id: node.labels.get(LABEL, "head") for node in nodes.node_info_list}
        for task in tasks.events_by_task:
            if task.task_info.type == TaskType.NORMAL_TASK and task.state_updates.node_id:
                found[task.task_info.name].add(group_of[task.state_updates.node_id])
        for actor in actors.actor_table_data:
            if actor.node_id:
                found[actor.class_name].add(group_of[actor.node_id])
        return found


@contextmanager
def labelled_cluster(nodes: Sequence[Node]) -> Iterator[LabelledCluster]:
    """Start nodes; nothing of them is left at the end."""
    words = [sys.executable, "-m", "tests.support.clusters.labelled_cluster", json.dumps(nodes)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    with subprocess.Popen(
        words,
        cwd=ROOT,
        env={**environment, "RAY_AUTH_MODE": "disabled"},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        yield LabelledCluster(**json.loads(process.stdout.readline()))
        process.communicate("")


def serve(nodes: Sequence[Node]) -> None:
    """Start nodes, say how they are reached, and wait until the input ends."""
    told = os.dup(1)
    os.dup2(2, 1)  # what Ray prints is not for who reads this
    cluster = Cluster(head_node_args={"num_cpus": 0})
    raylets = defaultdict[str, list[int]](list)
    for node in nodes:
        raylet = cluster.add_node(
            num_cpus=node.cpus, num_gpus=node.gpus, memory=MEMORY, labels={LABEL: node.group}, wait=True
        )
        raylets[node.group].append(raylet.all_processes["raylet"][0].process.pid)
    said = {"address": cluster.address, "raylets": raylets}
    with os.fdopen(told, "w") as out:
        out.write(f"{json.dumps(said)}\n")
    sys.stdin.read()
    cluster.shutdown()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    serve([Node(*values) for values in json.loads(sys.argv[1])])

"""Ray on several nodes of this machine, each of a group: `pubray` works there, and it is seen where what ran.

The nodes live in a process of their own, which ends with its input: the cluster of the tests is in theirs.
"""

import ctypes
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import grpc
import psutil
from ray.cluster_utils import Cluster
from ray.core.generated import gcs_service_pb2_grpc
from ray.core.generated.common_pb2 import TaskType
from ray.core.generated.gcs_pb2 import ActorTableData
from ray.core.generated.gcs_service_pb2 import GetAllActorInfoRequest, GetAllNodeInfoRequest, GetTaskEventsRequest

from jobs.common.cluster.placement import LABEL
from tests.campaign.driven import Done, end_of
from tests.support.ports import free_port
from tests.support.processes import ROOT, kill, title

MEMORY = 8e9
"""Bytes that each node says it has."""
NODE_ENV = ROOT / "infra" / "aws" / "node.env"
"""Whose limits say when a node is given up."""
NEW_MOUNTS = 0x00020000
"""CLONE_NEWNS of unshare(2), which Python knows from 3.12 on."""


class Node(NamedTuple):
    """One of the nodes; the head is beside them and takes no tasks."""

    group: str
    cpus: float = 1
    gpus: float = 0
    core: int | None = None
    """Of this machine, on which alone it works; None: on those of who starts it."""


@dataclass
class LabelledCluster:
    """Nodes that are up."""

    address: str
    raylets: list[int]
    """Process ids, one for each node."""
    dashboard: str
    """Its URL, at which `serve deploy` asks; empty if there is none."""

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

    def workers(self, work: str) -> list[int]:
        """Return the process ids of those that do some work."""
        return [process.pid for node in self._processes() for process in node if work in title(process)]

    def kill_node_with(self, work: str) -> bool:
        """Kill all of a node that does some work, as a power cut does; return whether there is one."""
        for node in self._processes():
            if any(work in title(process) for process in node):
                for process in node:
                    kill(process.pid)
                return True
        return False

    def _processes(self) -> Iterator[list[psutil.Process]]:
        """Yield those of each node."""
        for raylet in map(psutil.Process, self.raylets):
            yield [raylet, *raylet.children(recursive=True)]

    def alive(self, name: str) -> dict[bytes, bytes]:
        """Return the actors of a class that are alive, each with its node."""
        with grpc.insecure_channel(self.address) as channel:
            actors = gcs_service_pb2_grpc.ActorInfoGcsServiceStub(channel).GetAllActorInfo(GetAllActorInfoRequest())
        found = (a for a in actors.actor_table_data if name in a.class_name and a.state == ActorTableData.ALIVE)
        return {actor.actor_id: actor.node_id for actor in found}

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
def labelled_cluster(
    nodes: Sequence[Node], *, own_disk: Path | None = None, dashboard: bool = False
) -> Iterator[LabelledCluster]:
    """Start nodes; nothing of them is left at the end.

    own_disk: a folder at which each node has a disk of its own, which only root can give it.
    """
    port = free_port() if dashboard else 0
    words = [json.dumps(nodes), str(own_disk or ""), str(port)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    settings = (line.partition("=") for line in NODE_ENV.read_text().splitlines() if line.startswith("RAY_health_"))
    environment |= {name: value for name, _, value in settings}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.clusters.labelled_cluster", *words],
        cwd=ROOT,
        env={**environment, "RAY_AUTH_MODE": "disabled"},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        yield LabelledCluster(**json.loads(process.stdout.readline()))
        process.communicate("")


def serve(nodes: Sequence[Node], own_disk: str, port: int) -> None:
    """Start nodes, say how they are reached, and wait until the input ends."""
    told = os.dup(1)
    os.dup2(2, 1)  # what Ray prints is not for who reads this
    # An address of their own for the others: a driver joins the node at this machine's, which is the head.
    head = {"num_cpus": 0, "include_dashboard": bool(port), "dashboard_port": port}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    raylets, cores = [], os.sched_getaffinity(0)
    for number, node in enumerate(nodes, 2):
        if own_disk:
            give_disk(own_disk)
        os.sched_setaffinity(0, cores if node.core is None else {node.core})
        started = cluster.add_node(
            node_ip_address=f"127.0.0.{number}",
            num_cpus=node.cpus,
            num_gpus=node.gpus,
            memory=MEMORY,
            labels={LABEL: node.group},
            wait=True,
        )
        raylets.append(started.all_processes["raylet"][0].process.pid)
    url = f"http://127.0.0.1:{port}" if port else ""
    said = {"address": cluster.address, "raylets": raylets, "dashboard": url}
    with os.fdopen(told, "w") as out:
        out.write(f"{json.dumps(said)}\n")
    sys.stdin.read()
    cluster.shutdown()  # type: ignore[no-untyped-call]


def give_disk(folder: str) -> None:
    """Mount an empty disk on a folder, for this process and those that it starts from now on."""
    if ctypes.CDLL(None, use_errno=True).unshare(NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)


if __name__ == "__main__":
    serve([Node(*values) for values in json.loads(sys.argv[1])], sys.argv[2], int(sys.argv[3]))

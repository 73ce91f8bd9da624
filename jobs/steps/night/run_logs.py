"""The logs of a run, kept beside its report: a cluster that goes when the run ends takes those on its disks with it."""

import datetime
import os
import platform
import time
import traceback
from pathlib import Path

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from jobs.common.cluster.placement import NIGHT_WORK, nodes_for
from jobs.common.console import keep_lines
from retrieval.files.checked import write_bytes
from retrieval.operate.log_text import MOST, complaints, last_lines, lines_since, without_secrets
from schemas.config import PlacementConfig
from schemas.layout import Layout
from schemas.store import Store

DRIVER, RAY_DATA, WORKERS = "driver.log", "ray-data.log", "workers.log"
NODES_SECONDS = 10.0
"""That nodes are waited for, of which some may be gone."""


class RunLogs:
    """Keeps the lines that are logged from here on, the log of Ray Data, and what workers complain of."""

    def __init__(self, store: Store, run: str, placement: PlacementConfig) -> None:
        self._store, self._run, self._since, self._lines = store, run, time.time(), keep_lines()
        self._names, self._placement = set[str](), placement

    def keep(self, error: BaseException | None = None) -> list[str]:
        """Write what there is by now, without secrets, and of an error where it was raised; return the logs' names."""
        raised = "".join(traceback.format_exception(error)) if error else ""
        self._write(DRIVER, "".join(f"{line}\n" for line in self._lines) + raised)
        if ray.is_initialized():
            # Of a cluster that stays, the log has the nights before too.
            begun = f"{datetime.datetime.fromtimestamp(self._since):%Y-%m-%d %H:%M:%S}"
            self._write(RAY_DATA, lines_since(_end_of(_logs() / "ray-data" / RAY_DATA, self._since), begun))
            self._write(WORKERS, "\n".join(_of_nodes(self._placement, self._since)))
        return sorted(self._names)

    def _write(self, name: str, text: str) -> None:
        if text:
            kept = last_lines(without_secrets(text, os.environ))
            write_bytes(self._store, Layout.run_log(self._run, name), kept.encode(errors="replace"))
            self._names.add(name)


def _of_nodes(placement: PlacementConfig, since: float) -> list[str]:
    """Return what processes of each node of a night complain of; of a node that does not answer, that."""
    try:
        nodes = [node["NodeID"] for node in nodes_for(placement, NIGHT_WORK)]
    except (RayError, RuntimeError) as error:
        return [f"== no nodes: {error}"]
    places = {node: NodeAffinitySchedulingStrategy(node, soft=False) for node in nodes}
    tasks = {node: node_complaints.options(scheduling_strategy=place).remote(since) for node, place in places.items()}
    ray.wait([*tasks.values()], num_returns=len(tasks), timeout=NODES_SECONDS)
    return [text for node, task in tasks.items() if (text := _answer(node, task))]


def _answer(node: str, task: ray.ObjectRef[str]) -> str:
    try:
        return str(ray.get(task, timeout=0))
    except (RayError, TimeoutError) as error:
        return f"== node {node}: {type(error).__name__}: {error}"


@ray.remote(num_cpus=0, max_retries=0)
def node_complaints(since: float) -> str:
    """Return what Ray's processes on this node have written to stderr since then, without secrets."""
    found = ((file, complaints(_end_of(file, since))) for file in sorted(_logs().glob("*.err")))
    texts = (f"== {platform.node()}, {file.name}\n{text}\n" for file, text in found if text)
    return last_lines(without_secrets("".join(texts), os.environ))


def _logs() -> Path:
    """Return the folder of Ray's logs on this node."""
    context = ray.get_runtime_context()
    return Path(context.get_temp_dir(), context.get_session_name(), "logs")


def _end_of(file: Path, since: float) -> str:
    """Return the last lines of a file; nothing where there is none, or where nothing was written since then."""
    if not file.exists() or file.stat().st_mtime < since:
        return ""
    with file.open("rb") as log:
        log.seek(max(0, file.stat().st_size - 2 * MOST))
        return last_lines(log.read().decode(errors="replace"), 2 * MOST - 1)

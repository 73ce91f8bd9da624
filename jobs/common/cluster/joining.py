"""Joining Ray: the cluster that RAY_ADDRESS names, else a private one on this machine."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ray
from ray._private.ray_constants import PROCESS_TYPE_GCS_SERVER

from actors.store.stores import open_store
from jobs.common.broken_off import break_off
from jobs.common.cluster.nodes import check_nodes
from jobs.common.cluster.placement import NIGHT_WORK, most_of, nodes_for
from jobs.common.console import Progress, log
from jobs.common.last_words import leave_last_words
from schemas.config import Config, Work
from schemas.errors import ClusterError, UsageError

REACHED_WITHIN = 10.0
"""Seconds. Ray itself is silent for minutes where nothing answers."""
LOST_MS = "15000"
"""In which a node that is lost is known to be."""
LEAVING = 10.0
"""Seconds that a run has to end when its head has."""


def is_private() -> bool:
    """Return whether this process has a cluster of its own, which ends with it."""
    return "RAY_ADDRESS" not in os.environ


def connect(config: Config, works: Sequence[Work] = NIGHT_WORK) -> None:
    """Connect once per process, for such works; a second call does nothing.

    Raises:
        UsageError: nothing answers at RAY_ADDRESS.
        ClusterError: a cluster of this machine alone does not come up.
        StoreError: a node of the cluster cannot do the work: it does not see the store, or has another pubray.
    """
    if ray.is_initialized():
        return
    leave_last_words()
    if is_private():
        # Ray 2.60 turns token authentication on by itself; a private cluster on one machine needs none.
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        # Replicas run our code in their own loop, which it never blocks.
        os.environ.setdefault("RAY_SERVE_THROUGHPUT_OPTIMIZED", "1")
        # Clients come by Serve's proxy. The port of each api replica that the line above opens for a load balancer
        # would keep every stop waiting 30 s for that to leave.
        os.environ.setdefault("RAY_SERVE_ENABLE_DIRECT_INGRESS", "0")
        # Its C++ side warns of things that only a cluster of several machines can meet.
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    else:
        check_reached(os.environ["RAY_ADDRESS"])
    # A worker whose node was lost is asked again when Ray may have found that out (infra/aws/node.env), and not three
    # times within a second.
    os.environ.setdefault("RAY_task_actor_unavailable_retry_delay_base_ms", LOST_MS)
    os.environ.setdefault("RAY_task_actor_unavailable_retry_max_delay_ms", LOST_MS)
    # Of tasks that fail together the first is told, by who waits for them; Ray would add the stacks of the others.
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    with _stderr_muted(), _told():
        ray.init(
            address=os.environ.get("RAY_ADDRESS", "local"),
            include_dashboard=False if is_private() else None,
            logging_level=logging.WARNING,
            log_to_driver=False,
        )
    if is_private():
        threading.Thread(target=_watch_head, name="head", daemon=True).start()
    # Ray Data's bars and lines, in favour of ours; what goes wrong is raised. Its log file stays.
    ray.data.DataContext.get_current().enable_progress_bars = False
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.CRITICAL)
    if not is_private():
        if not most_of("CPU"):
            raise UsageError(f"the cluster {os.environ['RAY_ADDRESS']} has no CPU and will have none; give it a node")
        check_nodes(open_store(config), nodes_for(config.placement, works))


def check_reached(address: str) -> None:
    """Raise UsageError where `HOST:PORT` or `ray://HOST:PORT` does not answer; other addresses are Ray's to find."""
    host, _, port = address.removeprefix("ray://").partition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), REACHED_WITHIN).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"RAY_ADDRESS = {address}: no cluster answers ({error}); start it with ray up, or unset RAY_ADDRESS to "
            "work on this machine"
        ) from None


def _watch_head() -> None:
    """End the run with a line when the head of its own cluster has ended: Ray would end it after a minute, silently."""
    node: Any = ray._private.worker._global_node
    code = node.all_processes[PROCESS_TYPE_GCS_SERVER][0].process.wait()
    if not ray.is_initialized() or ray._private.worker._global_node is not node:
        return
    error = ClusterError(f"Ray's head on this machine ended ({code}); what is finished is kept, run it again to go on")
    break_off(error)
    time.sleep(LEAVING)
    if threading.main_thread().is_alive():  # else it has told
        log(f"pubray: {error}")
    leave_last_words()()
    os._exit(error.exit_code)  # something waits for the head


@contextmanager
def _told() -> Iterator[None]:
    """Tell in a line what Ray raises as an Exception of no kind."""
    try:
        yield
    except Exception as error:
        if type(error) is not Exception:
            raise
        why = " ".join(str(error).split())
        raise ClusterError(f"Ray did not come up on this machine ({why}); see what else it does, run again") from None


@contextmanager
def _stderr_muted() -> Iterator[None]:
    """Keep Ray's C++ side from announcing its log level; what goes wrong is raised."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 (a device)
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def results(
    tasks: Sequence[ray.ObjectRef[Any]], stage: str, total: int, unit: str, count: Callable[[Any], int]
) -> list[Any]:
    """Wait for the tasks of a stage, and show its progress: `count` of each result, of `total` units.

    The results are in the order in which they came; the first error ends it.
    """
    progress, waiting, found = Progress(stage, total, unit), list(tasks), []
    while waiting:
        [done], waiting = ray.wait(waiting, num_returns=1)
        found.append(ray.get(done))
        progress.add(count(found[-1]))
    progress.finish()
    return found

"""Joining Ray: the cluster that RAY_ADDRESS names, else a private one on this machine."""

import logging
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ray

from jobs.common.console import Progress


def is_private() -> bool:
    """Return whether this process has a cluster of its own, which ends with it."""
    return "RAY_ADDRESS" not in os.environ


def connect() -> None:
    """Connect once per process; a second call does nothing."""
    if ray.is_initialized():
        return
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
    with _stderr_muted():
        ray.init(
            address=os.environ.get("RAY_ADDRESS", "local"),
            include_dashboard=False if is_private() else None,
            logging_level=logging.WARNING,
            log_to_driver=False,
        )
    # Ray Data's bars and logs, in favour of ours; what goes wrong is raised.
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)


def gpus() -> float:
    """Return how many GPUs there can be: those of this machine, or as many as a real cluster may still start."""
    return float(ray.cluster_resources().get("GPU", 0)) if is_private() else math.inf  # type: ignore[no-untyped-call]


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

"""Joining Ray: the cluster that RAY_ADDRESS names, else a private one on this machine."""

import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

import ray


def connect() -> None:
    """Connect once per process; a second call does nothing."""
    if ray.is_initialized():
        return
    address = os.environ.get("RAY_ADDRESS", "local")
    # Ray 2.60 turns token authentication on by itself; a cluster of one process group needs none.
    if address == "local":
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray.init(
        address=address,
        include_dashboard=False if address == "local" else None,
        logging_level=logging.WARNING,
        log_to_driver=False,
        configure_logging=True,
    )
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # A job that does nothing for ten minutes has hung: say so instead of waiting for ever.
    context.execution_options.verbose_progress = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def cpus() -> int:
    """Return the CPUs of the cluster."""
    return int(ray.cluster_resources().get("CPU", 1))


def finished(tasks: Sequence[ray.ObjectRef[Any]]) -> Iterator[Any]:
    """Yield the results of tasks as they come; the first error ends it."""
    waiting = list(tasks)
    while waiting:
        done, waiting = ray.wait(waiting, num_returns=1)
        yield ray.get(done[0])

"""How many threads a worker may use."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import faiss
import torch

CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds of CPU per microseconds, `max` for no limit; of a container."""


def available_threads() -> int:
    """Return the cores that this process may run on, or as many as its container may use, if that is less."""
    cores = len(os.sched_getaffinity(0))
    if not CPU_LIMIT.exists():
        return cores
    quota, period = CPU_LIMIT.read_text().split()
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))


@contextmanager
def using_threads(number: int) -> Iterator[None]:
    """Let torch and FAISS use so many threads; Ray gives a task as many as it reserves cores."""
    before = torch.get_num_threads(), faiss.omp_get_max_threads()
    torch.set_num_threads(number)
    faiss.omp_set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        faiss.omp_set_num_threads(before[1])

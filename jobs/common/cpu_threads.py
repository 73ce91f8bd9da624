"""How many threads a worker may use."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import faiss
import torch


def available_threads() -> int:
    """Return the cores of this machine that this process may run on."""
    return len(os.sched_getaffinity(0))


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

"""How many threads a worker may use."""

import os


def available_threads() -> int:
    """Return the cores of this machine that this process may run on."""
    return len(os.sched_getaffinity(0))

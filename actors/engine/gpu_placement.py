"""Whether a model's weights fit into the memory of one GPU, of several together, or of none."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from safetensors import safe_open

from schemas.errors import UsageError

Placement = Literal["one", "several"]


def weight_bytes(files: Iterable[Path], itemsize: int) -> int:
    """Return how much memory the weights of safetensors files take at `itemsize` bytes a number."""
    return itemsize * sum(_numbers(path) for path in files)


def placement(weights: int, free: Sequence[int]) -> Placement:
    """Decide where `weights` bytes go, given the bytes `free` on each visible GPU, of which the first is preferred.

    Raises:
        UsageError: all GPUs together have less.
    """
    if weights <= free[0]:
        return "one"
    if weights <= sum(free):
        return "several"
    raise UsageError(
        f"the weights take {weights / 2**30:.1f} GiB, the {len(free)} visible GPU(s) have {sum(free) / 2**30:.1f} GiB"
        " free; give more GPUs, or set engine.precision = 'bfloat16' or engine.device = 'cpu'"
    )


def _numbers(path: Path) -> int:
    """Return how many numbers a safetensors file holds; only its header is read."""
    with safe_open(path, framework="numpy") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118

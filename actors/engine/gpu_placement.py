"""Whether a model's weights fit into the memory of one GPU, of several together, or of none."""

import json
import math
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

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
    """Return how many numbers a safetensors file holds: its header, JSON after its length, names their shapes."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")

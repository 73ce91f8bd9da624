from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from actors.engine.gpu_placement import placement, weight_bytes
from schemas.errors import UsageError

GIB = 2**30


def test_weights_take_what_their_shapes_say_in_the_precision_they_run_in(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(3, 5), "b": torch.zeros(7)}, tmp_path / "1.safetensors", metadata={"format": "pt"})
    save_file({"c": torch.zeros(2, 2, 2, dtype=torch.bfloat16), "d": torch.tensor(1.0)}, tmp_path / "2.safetensors")
    files = sorted(tmp_path.glob("*.safetensors"))
    assert weight_bytes(files, 4) == 4 * (15 + 7 + 8 + 1)
    assert weight_bytes(files, 2) == 2 * (15 + 7 + 8 + 1)


@pytest.mark.parametrize(
    ("weights", "free", "where"),
    [
        (14 * GIB, [15 * GIB], "one"),
        (14 * GIB, [14 * GIB], "one"),
        (14 * GIB, [24 * GIB, 24 * GIB], "one"),
        (14 * GIB, [12 * GIB, 12 * GIB], "several"),
        (14 * GIB, [2 * GIB, 24 * GIB], "several"),
    ],
)
def test_weights_go_to_one_gpu_if_they_fit_and_else_to_several(weights: int, free: list[int], where: str) -> None:
    assert placement(weights, free) == where


@pytest.mark.parametrize("free", [[12 * GIB], [6 * GIB, 6 * GIB]])
def test_weights_that_fit_nowhere_are_refused_with_both_sizes(free: list[int]) -> None:
    with pytest.raises(UsageError, match=r"^the weights take 13\.5 GiB, .* 12\.0 GiB free; give more GPUs"):
        placement(27 * GIB // 2, free)

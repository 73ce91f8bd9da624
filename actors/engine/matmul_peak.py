"""How fast a device multiplies matrices: what a model's speed is measured against."""

import time

import torch

from actors.engine.forward_pass import Device

SIDE = {"cpu": 1024, "cuda": 8192}
"""Rows and columns: large enough that nothing but arithmetic counts, and small enough to be done in milliseconds, so
that on a shared machine some products run undisturbed."""
SECONDS = 0.5


def gemm_peak(device: Device, dtype: torch.dtype, threads: int) -> float:
    """Return FLOP/s of the fastest square matrix product within about half a second, after one to warm up.

    `threads` are those of a CPU. torch's product in bfloat16 on a CPU is by oneDNN, as OpenVINO's.
    """
    side, before = SIDE[device], torch.get_num_threads()
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    torch.set_num_threads(threads)
    try:
        _product_seconds(a, b)
        seconds = [_product_seconds(a, b)]
        while sum(seconds) < SECONDS:
            seconds.append(_product_seconds(a, b))
    finally:
        torch.set_num_threads(before)
    return 2 * side**3 / min(seconds)


def _product_seconds(a: torch.Tensor, b: torch.Tensor) -> float:
    start = time.perf_counter()
    torch.mm(a, b)
    if a.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start

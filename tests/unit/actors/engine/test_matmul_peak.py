import time

import pytest
import torch

from actors.engine.matmul_peak import gemm_peak


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_peak_is_what_a_product_timed_by_hand_gives(dtype: torch.dtype) -> None:
    before = torch.get_num_threads()
    measured = gemm_peak("cpu", dtype, 1)
    assert torch.get_num_threads() == before
    a = torch.randn(1024, 1024).to(dtype)
    torch.set_num_threads(1)
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        torch.mm(a, a)
        seconds.append(time.perf_counter() - start)
    torch.set_num_threads(before)
    by_hand = 2 * 1024**3 / min(seconds)
    assert by_hand / 3 < measured < by_hand * 3  # other processes share the cores

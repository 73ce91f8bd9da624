import time

import pytest
import torch

from actors import peak
from actors.peak import gemm_peak


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_peak_is_what_a_product_timed_by_hand_gives(dtype: torch.dtype) -> None:
    before = torch.get_num_threads()
    measured = gemm_peak("cpu", dtype, 1)
    assert torch.get_num_threads() == before
    a = torch.randn(peak.SIDE["cpu"], peak.SIDE["cpu"]).to(dtype)
    torch.set_num_threads(1)
    start = time.process_time()
    torch.mm(a, a)
    by_hand = 2 * peak.SIDE["cpu"] ** 3 / (time.process_time() - start)
    torch.set_num_threads(before)
    assert by_hand / 3 < measured < by_hand * 3  # other processes share the cores

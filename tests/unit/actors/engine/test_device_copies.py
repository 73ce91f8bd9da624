import numpy as np
import torch

from actors.engine.device_copies import NoCopies


def test_on_a_cpu_nothing_is_copied() -> None:
    ids = np.arange(6).reshape(2, 3)
    tensors = NoCopies().to_device({"ids": ids})
    ids[0, 0] = 7
    assert tensors["ids"].tolist() == ids.tolist()
    result = torch.ones(2)
    assert NoCopies().to_host(result)() is result

"""Batches to the device and results back."""

import numpy as np
import torch
from numpy.typing import NDArray

from actors.engine.forward_pass import Pending

Tensors = dict[str, torch.Tensor]


class NoCopies:
    """A CPU's memory is where the batches are."""

    def to_device(self, arrays: dict[str, NDArray[np.int64]]) -> Tensors:
        """Return the arrays as tensors that the current stream may compute with."""
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def to_host(self, result: torch.Tensor) -> Pending:
        """Start to fetch a result."""
        return lambda: result


class CudaCopies:
    """Copies through pinned memory, each way on a stream of its own, so that they run while the GPU computes."""

    def __init__(self) -> None:
        self._up, self._down = torch.cuda.Stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def to_device(self, arrays: dict[str, NDArray[np.int64]]) -> Tensors:
        """Return the arrays as tensors that the current stream may compute with."""
        with torch.cuda.stream(self._up):
            tensors = {
                name: torch.from_numpy(array).pin_memory().to("cuda", non_blocking=True)
                for name, array in arrays.items()
            }
        computation = torch.cuda.current_stream()
        computation.wait_stream(self._up)
        for tensor in tensors.values():
            # Otherwise its memory is given to the next copy while this one is still being read.
            tensor.record_stream(computation)
        return tensors

    def to_host(self, result: torch.Tensor) -> Pending:
        """Start to fetch a result."""
        on_host = torch.empty(result.shape, dtype=result.dtype, pin_memory=True)
        self._down.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._down):
            on_host.copy_(result, non_blocking=True)
            copied = self._down.record_event()
        result.record_stream(self._down)

        def wait() -> torch.Tensor:
            copied.synchronize()
            return on_host

        return wait

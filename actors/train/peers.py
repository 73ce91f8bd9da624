"""The workers of a run of training: what each has is added up, and each gets the sum."""

from typing import Protocol

import torch


class Peers(Protocol):
    """Workers, numbered; all of them call `add` in the same order, with tensors of the same shapes."""

    @property
    def rank(self) -> int: ...

    @property
    def size(self) -> int: ...

    def add(self, *tensors: torch.Tensor) -> None:
        """Put into each of the tensors the sum of all workers'."""


class Alone:
    """One worker."""

    rank, size = 0, 1

    def add(self, *tensors: torch.Tensor) -> None:
        pass


class TorchPeers:
    """The workers of torch's process group: of gloo on CPUs, of NCCL on GPUs."""

    def __init__(self) -> None:
        self.rank, self.size = torch.distributed.get_rank(), torch.distributed.get_world_size()

    def add(self, *tensors: torch.Tensor) -> None:
        """Add them as one message: many small ones would cost more than what they carry."""
        if self.size == 1:
            return
        joined = torch.cat([tensor.reshape(-1) for tensor in tensors])
        torch.distributed.all_reduce(joined)
        for tensor, part in zip(
            tensors, torch.split_with_sizes(joined, [tensor.numel() for tensor in tensors]), strict=True
        ):
            tensor.copy_(part.view_as(tensor))

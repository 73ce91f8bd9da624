"""A model that is spread over the workers: each holds a part of every weight, of its gradient and of AdamW's moments.

By torch's FSDP2: a layer is put together where it computes, and left again; its gradient is summed up and spread. So
what a model computes is computed by all workers at once, each for texts of its own, and none may have more of them than
the others. A weight between two passes is a DTensor, of which a worker holds some rows.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from actors.train.peers import Peers
from schemas.errors import UsageError
from schemas.training import RunConfig


def placed(model: Any, config: RunConfig, peers: Peers, device: str) -> torch.nn.Module:
    """Put a model onto the device: whole, or the part of it that this worker holds.

    Raises:
        UsageError: it is to be spread, and transformers has not marked its layers.
    """
    if not config.spread or peers.size == 1:
        plain: torch.nn.Module = model.to(device)
        return plain
    # Imported here: transformers takes seconds.
    from transformers.modeling_layers import GradientCheckpointingLayer

    # Low-rank additions lie in the layers; what is around the model goes when they are merged.
    root: Any = model.get_base_model() if hasattr(model, "get_base_model") else model
    layers: list[Any] = [module for module in root.modules() if isinstance(module, GradientCheckpointingLayer)]
    if not layers:
        raise UsageError(f"spread: {type(root).__name__} has no layers that transformers marks; set spread = false")
    half = config.precision == "bfloat16"
    # Autocast alone would keep each weight that it met in bfloat16 until the gradient is there: the whole model.
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if half else MixedPrecisionPolicy()
    mesh = init_device_mesh(device, (peers.size,))
    for part in (*layers, root):
        # Left after each pass, the outermost too: else a pass after other weights are loaded is one of the old ones.
        fully_shard(part, mesh=mesh, reshard_after_forward=True, mp_policy=policy)
        part.set_gradient_divide_factor(1.0)  # a sum, where its default is the mean
        part.set_force_sum_reduction_for_comms(True)  # of which gloo has no scaled form
    return model


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor as it is without being spread; all workers call it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def gathered(tensors: Mapping[str, torch.Tensor], *, kept: bool) -> dict[str, torch.Tensor]:
    """Return tensors whole, in main memory what was spread; where they are not kept, nothing. All workers call it."""
    found = {}
    for name, tensor in tensors.items():
        of = whole(tensor)
        if kept:
            found[name] = of.cpu() if isinstance(tensor, DTensor) else of
    return found


def part_of(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return of a whole tensor what this worker holds of one that it is like; on the same device."""
    here = tensor.to(like.device)
    if isinstance(like, DTensor):
        return distribute_tensor(here, like.device_mesh, like.placements, src_data_rank=None)
    return here

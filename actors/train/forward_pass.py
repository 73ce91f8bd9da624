"""A batch of texts through a model that is trained."""

from typing import Any

import torch

from actors.engine.torch_engine import model_inputs
from retrieval.embed.tokens import TokenBatch
from schemas.training import RunConfig

MULTIPLE = 16
"""Of tokens that a batch is padded to: oneDNN makes itself ready for every new shape, which takes seconds."""


def draw_dropout(model: torch.nn.Module, seed: int | None) -> None:
    """Let the model's next pass have the dropout of a seed; None: none."""
    model.train(seed is not None)
    if seed is not None:
        torch.manual_seed(seed)


def outputs(model: torch.nn.Module, batch: TokenBatch, device: torch.device, config: RunConfig) -> Any:
    """Return what the model says of a batch, computed in the configured precision."""
    inputs = {name: torch.from_numpy(of).to(device) for name, of in model_inputs(model, batch).items()}
    with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
        return model(**inputs)

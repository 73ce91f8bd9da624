"""What training computes, to be told as a share of what the device could."""

from collections.abc import Mapping
from typing import Any

from retrieval.embed.rates import MLP_MATRICES, forward_flops
from schemas.training import RunConfig, TrainConfig


def token_flops(shapes: Mapping[str, Any], config: RunConfig) -> float:
    """Return the FLOP of training on one token, by the model's config.json; 0 if its shapes are not known.

    A forward pass has 2 per weight of its layers (`forward_flops`; the two products of attention, which are left out,
    are about tokens of a text / (6 · hidden_size) of that). The pass back has as many for what it leads on, down to the
    lowest layer that is learnt, or with checkpoints of activations all the way, and as many for the weights, which are
    few with LoRA. All that is computed counts: what is computed twice to save memory, and the teacher's forward pass.
    """
    if shapes.get("model_type") not in MLP_MATRICES:
        return 0.0
    layers, adapted, checkpoints = shapes["num_hidden_layers"], config.lora.rank > 0, config.checkpoint_activations
    learnt = max(0, layers - config.frozen) / layers
    led = 1 if adapted or checkpoints else learnt
    passes = 1 + led * (1 + checkpoints) + (0 if adapted else learnt)
    if isinstance(config, TrainConfig):
        passes += config.cached + (config.distil == "maxsim")
    return passes * forward_flops(shapes, [1])

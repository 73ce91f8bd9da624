"""What training computes, to be told as a share of what the device could."""

import math
from collections.abc import Mapping
from typing import Any

from retrieval.embed.rates import MLP_MATRICES, forward_flops
from schemas.training import RerankerTrainConfig, RunConfig, TrainConfig


def token_flops(shapes: Mapping[str, Any], config: RunConfig) -> float:
    """Return the FLOP of training on one token, by the model's config.json; 0 if its shapes are not known.

    A forward pass has 2 per weight of its layers (`forward_flops`; the two products of attention, which are left out,
    are about tokens of a text / (6 · hidden_size) of that). The pass back has as many for what it leads on, down to the
    lowest layer that is learnt, or with checkpoints of activations all the way, and as many for the weights, which are
    few with LoRA. All that is computed counts: what is computed twice to save memory, and the teacher's forward pass.
    """
    if shapes.get("model_type") not in MLP_MATRICES:
        return 0.0
    return passes(config, shapes["num_hidden_layers"]) * forward_flops(shapes, [1])


def tokens_at_once(config: RunConfig) -> int:
    """Return the tokens whose activations a worker holds at once, padding included."""
    if isinstance(config, RerankerTrainConfig):
        return (1 + config.hard_negatives) * config.length
    assert isinstance(config, TrainConfig)
    if config.cached:
        return config.chunk * max(config.query_length, config.article_length)
    pairs = math.ceil(config.batch / config.workers)
    return pairs * (config.query_length + (1 + config.hard_negatives) * config.article_length)


def passes(config: RunConfig, layers: int) -> float:
    """Return how many forward passes through a model of so many layers the training on a text counts as."""
    adapted, checkpoints = config.lora.rank > 0, config.checkpoint_activations
    learnt = max(0, layers - config.frozen) / layers
    led = 1 if adapted or checkpoints else learnt
    further = config.cached + (config.distil == "maxsim") if isinstance(config, TrainConfig) else 0
    return 1 + led * (1 + checkpoints) + (0 if adapted else learnt) + further

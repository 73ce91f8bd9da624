"""The figures of `pubray plan --train` that are measured here: what activations take, and what a core does in a second.

    python -m benchmarks.operate.training_figures [--json]

Models have the shapes of the encoders that `plan` knows and random weights, so none is fetched; dropout is off. One
thread, its CPU seconds.
"""

import argparse
import json
import time
from collections.abc import Mapping
from typing import Any

import torch
from transformers import AutoConfig, AutoModel

from jobs.common.console import say, table
from retrieval.embed.rates import MLP_MATRICES, forward_flops
from schemas.figures import ENCODERS

SHAPES = ("medcpt", "bmretriever-410m", "bmretriever-2b", "bmretriever-7b")
"""One of each kind."""
WORDS = 1000
TEXTS, TOKENS, ROUNDS = 16, 128, 3
"""Of the demo's model: a chunk, as `[train]` has it."""


def main() -> None:
    """Print one row per figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    figures = speed("minilm")
    for name in SHAPES:
        figures |= activations(name)
    say(json.dumps(figures, indent=1) if options.json else table(["figure", "value"], figures.items()))


def speed(name: str) -> dict[str, float]:
    """Return FLOP per second of forward and backward passes, counted as three forward ones."""
    shape, found = ENCODERS[name].shape, {}
    model, ids = made(shape, shape["num_hidden_layers"]), torch.randint(WORDS, (TEXTS, TOKENS))
    for precision, half in (("bfloat16", True), ("float32", False)):
        seconds = []
        for _ in range(1 + ROUNDS):  # the first makes itself ready
            start = time.process_time()
            forward(model, ids, half=half).sum().backward()  # type: ignore[no-untyped-call]
            seconds.append(time.process_time() - start)
        found[f"{name}, {precision}, FLOP/s"] = 3 * forward_flops(shape, [TOKENS] * TEXTS) / min(seconds[1:])
    return found


def activations(name: str) -> dict[str, float]:
    """Return what a layer keeps of a token for the backward pass, in bytes per number of its vector.

    Beside that of the MLP: of each of its matrices but the last, two results of the intermediate size.
    """
    shape, found = ENCODERS[name].shape, {}
    kept_of_mlp = 2 * (MLP_MATRICES[shape["model_type"]] - 1) * shape["intermediate_size"]
    for precision, half, width in (("bfloat16", True, 2), ("float32", False, 4)):
        kept = {}
        for layers in (1, 2):
            model = made(shape, layers)
            for tokens in (TOKENS, 2 * TOKENS):
                kept[layers, tokens] = kept_bytes(model, torch.randint(WORDS, (1, tokens)), half=half)
        more = [kept[2, tokens] - kept[1, tokens] for tokens in (TOKENS, 2 * TOKENS)]
        of_token = (more[1] - more[0]) / TOKENS  # the rest are the weights in bfloat16
        found[f"{name}, {precision}, B/number"] = (of_token - width * kept_of_mlp) / shape["hidden_size"]
    return found


def made(shape: Mapping[str, Any], layers: int) -> torch.nn.Module:
    """Return a model of a shape with so many layers."""
    others = {key: value for key, value in shape.items() if key not in ("model_type", "num_hidden_layers")}
    config = AutoConfig.for_model(shape["model_type"], num_hidden_layers=layers, vocab_size=WORDS, **others)
    model: torch.nn.Module = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    return model.eval()


def forward(model: torch.nn.Module, ids: torch.Tensor, *, half: bool) -> torch.Tensor:
    """Return the vectors of tokens, as training computes them."""
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        vectors: torch.Tensor = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    return vectors


def kept_bytes(model: torch.nn.Module, ids: torch.Tensor, *, half: bool) -> int:
    """Return how many bytes a forward pass keeps for the backward pass, beside the weights as they are."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        forward(model, ids, half=half)
    return sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in weights)


if __name__ == "__main__":
    main()

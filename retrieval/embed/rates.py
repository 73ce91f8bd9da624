"""How fast articles were embedded, and how many floating point operations a forward pass needs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import InputError
from schemas.report import EmbedRates
from schemas.vector import EmbedCounts

MLP_MATRICES = {
    **dict.fromkeys(["bert", "roberta", "xlm-roberta", "gpt_neox"], 2),
    **dict.fromkeys(["gemma", "llama", "mistral", "qwen2", "qwen3"], 3),  # gated
}
"""Matrices of hidden_size × intermediate_size per layer, by model_type."""


def forward_flops(config: Mapping[str, Any], lengths: Sequence[int] | NDArray[np.integer]) -> float:
    """Return the FLOP of one forward pass over texts of `lengths` tokens, by a model's config.json, without padding.

    Matrix products alone are counted, 2 FLOP per multiply-add: 2 per weight and token, and 4 · n² · (heads · head_dim)
    per layer for the two products of attention over n tokens. That is not halved for causal models, as in the MFU of
    the PaLM paper (Chowdhery et al. 2022, appendix B) and torch's own counter. Embeddings, heads and poolers are left
    out.

    Raises:
        InputError: the shapes of this kind of model are not known.
    """
    kind = config.get("model_type")
    if kind not in MLP_MATRICES:
        known = ", ".join(sorted(MLP_MATRICES))
        raise InputError(f"config.json: FLOP of model_type {kind!r} are not known; known are {known}")
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    head_dim = config.get("head_dim") or hidden // heads
    key_value_heads = config.get("num_key_value_heads") or heads
    projections = hidden * head_dim * (2 * heads + 2 * key_value_heads)  # query and output, key and value
    mlp = MLP_MATRICES[kind] * hidden * config["intermediate_size"]
    n = np.asarray(lengths, np.float64)
    per_layer = 2 * (projections + mlp) * n.sum() + 4 * heads * head_dim * (n * n).sum()
    return float(config["num_hidden_layers"] * per_layer)


def embed_rates(totals: EmbedCounts, seconds: float) -> EmbedRates:
    """Return the rates of encoders, which took `seconds` from begin to end; zeros where none did anything."""
    actors = max(1, totals.encoders)
    working = (totals.encode_seconds + totals.wait_seconds) / actors
    return EmbedRates(
        articles_per_second=totals.encoded / working if working else 0.0,
        tokens_per_second=totals.tokens / working if working else 0.0,
        padding_waste=1 - totals.tokens / totals.padded_tokens if totals.padded_tokens else 0.0,
        mfu=totals.flops / totals.peak_flops if totals.peak_flops else 0.0,
        waiting=totals.wait_seconds / actors / working if working else 0.0,
        seconds=seconds,
        start_up_seconds=seconds - working,
    )

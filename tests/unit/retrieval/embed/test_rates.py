import json
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

from retrieval.embed.rates import embed_rates, forward_flops
from schemas.errors import InputError
from schemas.vector import EmbedCounts

BERT_BASE = {
    "model_type": "bert",
    "hidden_size": 768,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "intermediate_size": 3072,
}
GEMMA_2B = {
    "model_type": "gemma",
    "hidden_size": 2048,
    "num_attention_heads": 8,
    "num_key_value_heads": 1,
    "head_dim": 256,
    "num_hidden_layers": 18,
    "intermediate_size": 16384,
}
MISTRAL_7B = {
    "model_type": "mistral",
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_hidden_layers": 32,
    "intermediate_size": 14336,
}


@pytest.mark.parametrize(
    ("config", "weights", "width"),
    [
        (BERT_BASE, 84_934_656, 768 * 12),  # 12 · (4 · 768² + 2 · 768 · 3072)
        (GEMMA_2B, 1_981_808_640, 2048 * 18),  # 18 · (2048 · 256 · (2 · 8 + 2) + 3 · 2048 · 16384)
        (MISTRAL_7B, 6_979_321_856, 4096 * 32),  # 32 · (4096 · 128 · (2 · 32 + 2 · 8) + 3 · 4096 · 14336)
    ],
    ids=["BERT base", "Gemma 2B", "Mistral 7B"],
)
def test_flops_are_two_per_weight_and_token_and_four_per_pair_of_tokens(
    config: dict[str, Any], weights: int, width: int
) -> None:
    assert forward_flops(config, [280]) == 2 * weights * 280 + 4 * width * 280 * 280


def test_texts_do_not_see_each_other() -> None:
    alone = [forward_flops(BERT_BASE, [n]) for n in (10, 300)]
    assert forward_flops(BERT_BASE, np.array([10, 300], np.int32)) == sum(alone) < forward_flops(BERT_BASE, [310])


def test_no_texts_need_nothing() -> None:
    assert forward_flops(BERT_BASE, []) == 0


SHAPE: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "intermediate_size": 160,
    "max_position_embeddings": 128,
}
GROUPED = {**SHAPE, "num_key_value_heads": 2}


@pytest.mark.parametrize(
    "config",
    [
        transformers.BertConfig(**SHAPE),
        transformers.RobertaConfig(**SHAPE),
        transformers.GPTNeoXConfig(**SHAPE),
        transformers.LlamaConfig(**GROUPED),
        transformers.MistralConfig(**GROUPED),
        transformers.GemmaConfig(**GROUPED, head_dim=24),
        transformers.Qwen2Config(**GROUPED),
        transformers.Qwen3Config(**GROUPED, head_dim=24),
    ],
    ids=lambda config: config.model_type,
)
def test_flops_are_those_that_torch_counts(config: Any) -> None:
    torch.manual_seed(0)
    auto: Any = transformers.AutoModel
    model = auto.from_config(config, attn_implementation="eager").eval()
    counter, ids = FlopCounterMode(display=False), torch.ones((2, 70), dtype=torch.int64)
    with counter, torch.inference_mode():
        model(input_ids=ids)
    # torch also counts the pooler of BERT and the angles of rotary embeddings: in a tiny model, below 1 %
    assert forward_flops(json.loads(config.to_json_string()), [70, 70]) == pytest.approx(
        counter.get_total_flops(), rel=0.01
    )


def test_an_unknown_kind_of_model_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"^config.json: FLOP of model_type 'mamba' are not known; known are bert,"):
        forward_flops({**BERT_BASE, "model_type": "mamba"}, [10])


def test_rates_are_those_of_the_time_in_which_encoders_were_up() -> None:
    counts = EmbedCounts(
        encoders=2,
        encoded=600,
        tokens=3000,
        padded_tokens=4000,
        flops=1,
        peak_flops=4,
        encode_seconds=15,
        wait_seconds=5,
    )
    rates = embed_rates(counts, seconds=12)
    assert (rates.articles_per_second, rates.tokens_per_second) == (60, 300)
    assert (rates.padding_waste, rates.mfu, rates.waiting) == pytest.approx((0.25, 0.25, 0.25))
    assert (rates.seconds, rates.start_up_seconds) == (12, 2)


def test_where_nothing_was_done_all_are_zero() -> None:
    assert set(embed_rates(EmbedCounts(), seconds=0).model_dump().values()) == {0}

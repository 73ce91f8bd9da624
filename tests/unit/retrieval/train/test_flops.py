from typing import Any

import pytest
import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

from retrieval.train.flops import token_flops
from schemas.training import RerankerTrainConfig, TrainConfig

SHAPE: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 160,
}
TEXTS, TOKENS = 2, 4
PLAIN: dict[str, Any] = {"loss": "two-way", "distil": "none"}


def counted(*, frozen: int, checkpointed: bool) -> float:
    """What torch counts of a pass forward and back, for a token."""
    model: Any = transformers.BertModel(transformers.BertConfig(**SHAPE), add_pooling_layer=False)
    if checkpointed:
        model.activation_checkpointing_enable({"use_reentrant": False})
    for part in (model.embeddings, *model.encoder.layer[:frozen]) if frozen else ():
        part.requires_grad_(False)
    with FlopCounterMode(display=False) as counter:
        model(torch.ones(TEXTS, TOKENS, dtype=torch.int64)).last_hidden_state.sum().backward()
    return counter.get_total_flops() / (TEXTS * TOKENS)


@pytest.mark.parametrize(("frozen", "checkpointed"), [(0, False), (0, True), (1, False), (2, True)])
def test_they_are_about_what_torch_counts_for_short_texts(frozen: int, *, checkpointed: bool) -> None:
    config = TrainConfig(**PLAIN, frozen=frozen, checkpoint_activations=checkpointed)
    # Of the lowest layer that is learnt nothing is led on to its input; of three small ones it is a part.
    near = 0.15 if frozen else 0.02
    wanted = counted(frozen=frozen, checkpointed=checkpointed)
    assert token_flops({"model_type": "bert", **SHAPE}, config) == pytest.approx(wanted, near)


@pytest.mark.parametrize(
    ("values", "passes"),
    [
        ({}, 3),
        ({"cached": True}, 4),
        ({"cached": True, "checkpoint_activations": True}, 5),
        ({"distil": "maxsim"}, 4),
        ({"lora": {"rank": 2}}, 2),
        ({"frozen": 9}, 1),
    ],
)
def test_they_are_so_many_forward_passes(values: dict[str, Any], passes: int) -> None:
    shapes = {"model_type": "bert", **SHAPE}
    plain = token_flops(shapes, RerankerTrainConfig())
    assert token_flops(shapes, TrainConfig(**PLAIN | values)) == pytest.approx(plain * passes / 3)


def test_of_a_model_of_another_kind_they_are_not_known() -> None:
    assert token_flops({"model_type": "of tomorrow"}, RerankerTrainConfig()) == 0

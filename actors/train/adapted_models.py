"""What is done to a model before it is trained: which of its weights are learnt, its dropout, what of it is kept."""

import re
import warnings
from typing import Any, Literal

import torch

from schemas.training import RunConfig

Task = Literal["FEATURE_EXTRACTION", "SEQ_CLS"]
"""peft's."""
POOLER = ".pooler."
"""In the names of weights on which no vector of an encoder depends; the logits of a classifier do."""
_LAYER = re.compile(r"\b(?:layers?|h)\.(\d+)\.")
"""In the names of weights."""
RATES = ("dropout_prob", "attention_dropout", "attention_probs_dropout_prob")
"""Where modules of transformers keep the rate of a dropout that is not a module of its own."""


def prepared(model: Any, config: RunConfig, task: Task) -> torch.nn.Module:
    """Return the model as it is trained: all of it but its pooler, or low-rank additions to its linear layers.

    LoRA: Hu et al., arXiv 2106.09685; by peft, drawn by the run's seed; a classifier's head is learnt whole beside it.
    """
    if not config.dropout:
        _without_dropout(model)
    if config.checkpoint_activations:
        # Not the reentrant form, which gives low-rank weights behind frozen ones no gradient, and says nothing.
        model.activation_checkpointing_enable({"use_reentrant": False})
    if not config.lora.rank:
        for name, parameter in model.named_parameters():
            unused = task == "FEATURE_EXTRACTION" and POOLER in f".{name}"
            parameter.requires_grad_(not unused and not _is_below(name, config.frozen))
        plain: torch.nn.Module = model
        return plain
    # Imported here: it is an extra, and takes a second.
    import peft

    lora = config.lora
    adapter = peft.LoraConfig(
        task_type=task,
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets if isinstance(lora.targets, str) else list(lora.targets),
    )
    torch.manual_seed(config.seed)
    with warnings.catch_warnings():  # it asks transformers by a name that is going away
        warnings.simplefilter("ignore", FutureWarning)
        adapted: torch.nn.Module = peft.get_peft_model(model, adapter)
    return adapted


def merged(model: Any, config: RunConfig) -> torch.nn.Module:
    """Return the model of the start model's form, low-rank additions added to what they are of."""
    plain: torch.nn.Module = model.merge_and_unload() if config.lora.rank else model
    return plain


def _is_below(name: str, frozen: int) -> bool:
    """Say whether a weight is of the embeddings, or of one of the lowest layers, if any are frozen."""
    layer = _LAYER.search(name)
    return frozen > 0 and (int(layer[1]) < frozen if layer else "embed" in name)


def _without_dropout(model: torch.nn.Module) -> None:
    """Let none be dropped: a model in training mode, which checkpoints want, is then as one that is used."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for rate in RATES:
            if isinstance(getattr(module, rate, None), float):
                setattr(module, rate, 0.0)

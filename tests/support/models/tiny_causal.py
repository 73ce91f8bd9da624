"""A causal model of a few thousand random weights, shaped as BMRetriever's are: GPT-NeoX, an end-of-sequence token."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import GPTNeoXConfig, GPTNeoXModel, PreTrainedTokenizerFast

from schemas.encoder import EncoderSpec, TowerSpec
from tests.support.models.tiny import WORDS

SPECIAL = ["<unk>", "<eos>"]
FRAME = ["Represent", "this", "passage", ":", "Query", "find"]
DIMENSION = 32


def model(folder: Path) -> Path:
    """Write the model and its tokenizer."""
    torch.manual_seed(0)
    words = SPECIAL + FRAME + WORDS
    config = GPTNeoXConfig(
        vocab_size=len(words),
        hidden_size=DIMENSION,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=512,
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=1,
    )
    GPTNeoXModel(config).save_pretrained(folder)
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token="<eos>", unk_token="<unk>"
    ).save_pretrained(folder)
    return folder


def spec(folder: Path) -> EncoderSpec:
    """Return the spec as infra/config/bmretriever-*.toml have it."""
    tower = {"model": str(folder), "max_length": 512, "append_eos": True}
    return EncoderSpec(
        name="tiny causal",
        query=TowerSpec.model_validate({**tower, "template": "{task}\nQuery: {text}", "task": "find pain"}),
        article=TowerSpec.model_validate({**tower, "template": "Represent this passage\npassage: {text}"}),
        pooling="last",
        normalize=False,
        dimension=DIMENSION,
    )

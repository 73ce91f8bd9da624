"""Models of a few thousand random weights, real in every other respect: config, fast tokenizer, safetensors."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertForSequenceClassification, BertModel, PreTrainedTokenizerFast

from retrieval.embed.tokens import TokenBatch, load_tokenizer, pad_batch, tokenize_pairs
from schemas.config import Config, EngineConfig
from schemas.encoder import EncoderSpec, Pooling, TowerSpec
from schemas.protocols import ArticleText

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = ["statin", "muscle", "pain", "of", "in", "mice", "trial", "randomised", "asthma", "hay", "fever", "dose"]
DIMENSION = 32
MAX_LENGTH = 24

TEXTS = [
    ArticleText("Statin", "muscle pain in mice"),
    ArticleText("Randomised trial of dose", " ".join(WORDS * 4)),  # longer than MAX_LENGTH
    ArticleText("Hay fever", ""),
    ArticleText(" ".join(WORDS * 3), "a title longer than its abstract"),
    ArticleText("Unknown words", "asthma asthma of asthma"),
]


def encoder(folder: Path, seed: int = 0) -> Path:
    """Write an encoder."""
    return _save(folder, BertModel, seed)


def classifier(folder: Path, labels: int = 1, seed: int = 0) -> Path:
    """Write a sequence classifier."""
    return _save(folder, BertForSequenceClassification, seed, num_labels=labels)


def spec(folder: Path, pooling: Pooling = "mean", *, normalize: bool = True, pair: bool = False) -> EncoderSpec:
    """Return an encoder spec of one tower for both sides."""
    query = TowerSpec(model=str(folder), max_length=MAX_LENGTH)
    article = TowerSpec(model=str(folder), max_length=MAX_LENGTH, pair=pair)
    return EncoderSpec(
        name="tiny", query=query, article=article, pooling=pooling, normalize=normalize, dimension=DIMENSION
    )


def pairs(folder: Path) -> TokenBatch:
    """Return a padded batch of two segments, so that ids, mask and segments all matter."""
    passages = [f"{title} {abstract}" for title, abstract in TEXTS]
    tokens = tokenize_pairs(load_tokenizer(folder, MAX_LENGTH), "muscle pain", passages)
    return pad_batch(tokens, list(range(len(tokens))), 0)


def transformers_tokenizer(folder: Path) -> Any:
    """Return the tokenizer as transformers' own."""
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_file=str(folder / "tokenizer.json"),
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def _save(folder: Path, kind: Any, seed: int, **settings: Any) -> Path:
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(SPECIAL) + len(WORDS),
        hidden_size=DIMENSION,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        # wide, so that texts differ in their vectors as much as those of a trained model
        initializer_range=0.3,
        **settings,
    )
    kind(config).eval().save_pretrained(folder)
    tokenizer = Tokenizer(WordLevel({w: i for i, w in enumerate(SPECIAL + WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def config(spec: EncoderSpec, engine: EngineConfig, cache: Path = Path("unused")) -> Config:
    """Return a configuration for towers alone."""
    return Config(store="unused", cache=str(cache), encoder=spec, engine=engine)

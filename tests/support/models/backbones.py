"""The architectures of MedCPT and BMRetriever at a size of some thousand random weights, as folders like the published.

Tokenizers are trained on the texts below: WordPiece for BERT, byte-level BPE for the others. As published, Gemma and
Mistral put a token before a text, GPT-NeoX does not, and only Gemma has one for padding.
"""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    GemmaConfig,
    GemmaModel,
    GPTNeoXConfig,
    GPTNeoXModel,
    MistralConfig,
    MistralModel,
    PretrainedConfig,
)

from schemas.protocols import ArticleText

DIMENSION = 32
CAUSAL = ("gpt-neox", "gemma", "mistral")

ARTICLES = [
    ArticleText("Statin-associated muscle pain: a randomised trial.", "We gave 120 patients simvastatin or placebo."),
    ArticleText("", "An abstract without a title, as records of translated articles have."),
    ArticleText("[Hay fever in children].", ""),
    ArticleText("", ""),
    ArticleText("Long.", "Methods and results were long and said again. " * 150),
    ArticleText("A title longer than most abstracts " * 60, "and an abstract that is long as well " * 60),
    ArticleText("x", ""),
    ArticleText(
        "Ménière’s disease, α-synuclein and β₂-agonists", "ΔF508 at 37 °C, 5 µg; naïve e\u0301lan; 高血压; 🧬."
    ),
    ArticleText("  Blanks around  ", "  and between  "),
]
QUERIES = [
    "muscle pain from statins?",
    "",
    "x",
    "does cromolyn help in hay fever? " * 120,
    "Ménière’s α-synuclein 高血压 🧬",
]


def bert(folder: Path, *, seed: int, labels: int = 0) -> Path:
    """Write a BERT of uncased WordPiece; with labels, a sequence classifier."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    _train(tokenizer, trainers.WordPieceTrainer(vocab_size=300, special_tokens=special, show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.decoder = decoders.WordPiece()
    heads: dict[str, Any] = {"num_labels": labels} if labels else {}
    config = BertConfig(max_position_embeddings=512, pad_token_id=0, **heads, **_size(tokenizer))
    named = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 512, **named}
    return _save(folder, BertForSequenceClassification if labels else BertModel, config, tokenizer, settings, seed)


def causal(folder: Path, kind: str, *, seed: int = 0) -> Path:
    """Write a language model without its head."""
    if kind == "gpt-neox":
        tokenizer = _byte_level(["<|endoftext|>"], first=None)
        config: PretrainedConfig = GPTNeoXConfig(bos_token_id=0, eos_token_id=0, **_size(tokenizer))
        settings = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
        return _save(folder, GPTNeoXModel, config, tokenizer, settings, seed)
    if kind == "gemma":
        tokenizer = _byte_level(["<pad>", "<eos>", "<bos>", "<unk>"], first="<bos>")
        config = GemmaConfig(num_key_value_heads=1, head_dim=8, **_size(tokenizer))
        settings = {"pad_token": "<pad>", "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>"}
        return _save(folder, GemmaModel, config, tokenizer, settings, seed)
    tokenizer = _byte_level(["<unk>", "<s>", "</s>"], first="<s>")
    config = MistralConfig(num_key_value_heads=2, **_size(tokenizer))
    settings = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return _save(folder, MistralModel, config, tokenizer, settings, seed)


def _byte_level(special: list[str], first: str | None) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    _train(
        tokenizer,
        trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    if first:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{first} $A",
            pair=f"{first} $A {first} $B",
            special_tokens=[(first, tokenizer.token_to_id(first))],
        )
    return tokenizer


def _train(tokenizer: Tokenizer, trainer: Any) -> None:
    tokenizer.train_from_iterator([" ".join(article) for article in ARTICLES] + QUERIES, trainer)


def _size(tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": DIMENSION,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        # wide, so that texts differ in their vectors as much as those of a trained model
        "initializer_range": 0.2,
    }


def _save(
    folder: Path, kind: Any, config: PretrainedConfig, tokenizer: Tokenizer, settings: dict[str, Any], seed: int
) -> Path:
    torch.manual_seed(seed)
    kind(config).eval().save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast"} | settings
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder

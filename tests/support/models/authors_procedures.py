"""MedCPT's and BMRetriever's own procedures, written out as their authors did, with transformers alone.

MedCPT: README of github.com/ncbi/MedCPT at 11e129b. BMRetriever: eval.py of github.com/ritaranx/BMRetriever at
7823209, in float32 and without CUDA's autocast.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from schemas.protocols import ArticleText

Floats = NDArray[np.float32]


def medcpt_queries(folder: Path, queries: Sequence[str]) -> Floats:
    return _medcpt(folder, list(queries), 64)


def medcpt_articles(folder: Path, articles: Sequence[ArticleText]) -> Floats:
    return _medcpt(folder, [[title, abstract] for title, abstract in articles], 512)


def medcpt_logits(folder: Path, query: str, articles: Sequence[str]) -> Floats:
    """Return one logit per article, "Title. Abstract"."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    pairs = [[query, article] for article in articles]
    with torch.no_grad():
        encoded = tokenizer(pairs, truncation=True, padding=True, return_tensors="pt", max_length=512)
        return model(**encoded).logits.squeeze(dim=1).numpy()


def bmretriever_queries(folder: Path, task: str, queries: Sequence[str], side: str = "left") -> Floats:
    return _bmretriever(folder, [f"{task}\nQuery: {query}" for query in queries], side)


def bmretriever_articles(folder: Path, articles: Sequence[ArticleText], side: str = "left") -> Floats:
    passages = [(title + " " + abstract).strip() for title, abstract in articles]
    return _bmretriever(folder, [f"Represent this passage\npassage: {passage}" for passage in passages], side)


def _medcpt(folder: Path, texts: list[Any], max_length: int) -> Floats:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    with torch.no_grad():
        encoded = tokenizer(texts, truncation=True, padding=True, return_tensors="pt", max_length=max_length)
        return model(**encoded).last_hidden_state[:, 0, :].numpy()


def _bmretriever(folder: Path, texts: list[str], side: str) -> Floats:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder, dtype=torch.float32)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
        tokenizer.padding_side = side
    batch = tokenizer(
        texts,
        max_length=512 - 1,
        return_attention_mask=False,
        return_token_type_ids=False,
        padding=False,
        truncation=True,
    )
    batch["input_ids"] = [[*input_ids, tokenizer.eos_token_id] for input_ids in batch["input_ids"]]
    batch = tokenizer.pad(batch, padding=True, return_attention_mask=True, return_tensors="pt")
    with torch.no_grad():
        outputs = model(**batch)
        return _last_token_pool(outputs.last_hidden_state, batch["attention_mask"]).numpy()


def _last_token_pool(last_hidden_states: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    last_hidden = last_hidden_states.masked_fill(~attention_mask[..., None].bool(), 0.0)
    left_padding = attention_mask[:, -1].sum() == attention_mask.shape[0]
    if left_padding:
        return last_hidden[:, -1]
    sequence_lengths = attention_mask.sum(dim=1) - 1
    return last_hidden[torch.arange(last_hidden.shape[0]), sequence_lengths]

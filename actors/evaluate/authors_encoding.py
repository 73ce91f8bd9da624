"""Encoding as authors publish it: plain transformers, none of our own code, to compare ours with."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

BMRETRIEVER_TOKENS = 512


def bmretriever_query(text: str, task: str) -> str:
    """Lay a query out (`get_detailed_instruct_query` of eval.py)."""
    return f"{task}\nQuery: {text}"


def bmretriever_passage(title: str, abstract: str) -> str:
    """Lay an article out (`encode_corpus` and `get_detailed_instruct_passage` of eval.py)."""
    return f"Represent this passage\npassage: {(title + ' ' + abstract).strip()}"


def bmretriever_vectors(folder: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the vectors (n, dimension) of texts laid out by the functions above, in float32.

    Source: `SentenceBERT.encode` of eval.py, https://github.com/ritaranx/BMRetriever at 78232098. The texts go in one
    by one: then there is no padding, and the last token is the one that eval.py looks for in a padded batch.
    """
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True, use_safetensors=True).eval()
    vectors = []
    for text in texts:
        ids = tokenizer(text, max_length=BMRETRIEVER_TOKENS - 1, truncation=True)["input_ids"]
        ids = torch.tensor([[*ids, tokenizer.eos_token_id]])
        with torch.inference_mode():
            hidden_BTD = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        vectors.append(hidden_BTD[0, -1].numpy())
    return np.stack(vectors)

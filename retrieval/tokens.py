"""Texts to token ids, and token ids to padded batches of equal cost."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from schemas.encoder import TowerSpec
from schemas.errors import InputError

TokenIds = NDArray[np.int32]


class Tokens(NamedTuple):
    """One tokenised text: ids and segment numbers (tokens,)."""

    ids: TokenIds
    segments: TokenIds


class TokenBatch(NamedTuple):
    """A padded batch, and which texts it holds."""

    ids: NDArray[np.int64]  # (B, T)
    mask: NDArray[np.int64]  # (B, T)
    segments: NDArray[np.int64]  # (B, T)
    positions: list[int]


def load_tokenizer(folder: Path, max_length: int) -> Tokenizer:
    """Load a fast tokenizer that truncates as transformers does (the longest segment first) and does not pad.

    Raises:
        InputError: the folder holds no tokenizer.json.
    """
    path = folder / "tokenizer.json"
    if not path.exists():
        raise InputError(f"{folder}: no tokenizer.json; use a model with a fast tokenizer")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length, strategy="longest_first")
    return tokenizer


def pad_id(folder: Path) -> int:
    """Return the id that pads a batch; the mask hides it, so any id serves where none is named."""
    return int(json.loads((folder / "config.json").read_text()).get("pad_token_id") or 0)


def tokenize_queries(tokenizer: Tokenizer, tower: TowerSpec, queries: Sequence[str]) -> list[Tokens]:
    """Tokenise queries as the query tower wants them."""
    return _tokens(tokenizer.encode_batch([tower.template.format(text=q) for q in queries]))


def tokenize_articles(tokenizer: Tokenizer, tower: TowerSpec, texts: Sequence[tuple[str, str]]) -> list[Tokens]:
    """Tokenise (title, abstract) as the article tower wants them."""
    if tower.pair:
        return _tokens(tokenizer.encode_batch(list(texts)))
    laid_out = [tower.template.format(title=title, abstract=abstract).strip() for title, abstract in texts]
    return _tokens(tokenizer.encode_batch(laid_out))


def tokenize_pairs(tokenizer: Tokenizer, query: str, passages: Sequence[str]) -> list[Tokens]:
    """Tokenise a query with each passage as a cross-encoder wants them."""
    return _tokens(tokenizer.encode_batch([(query, passage) for passage in passages]))


def _tokens(encodings: Sequence[Encoding]) -> list[Tokens]:
    return [Tokens(np.array(e.ids, np.int32), np.array(e.type_ids, np.int32)) for e in encodings]


def token_batches(texts: Sequence[Tokens], batch_tokens: int, pad: int) -> Iterator[TokenBatch]:
    """Yield batches of texts of like length, at most `batch_tokens` padded tokens each (or one longer text).

    Longest first, so that memory peaks at the first batch and not after an hour.
    """
    order = sorted(range(len(texts)), key=lambda i: len(texts[i].ids), reverse=True)
    start = 0
    while start < len(order):
        longest = len(texts[order[start]].ids)
        positions = order[start : start + max(1, batch_tokens // max(1, longest))]
        yield pad_batch([texts[i] for i in positions], positions, pad)
        start += len(positions)


def pad_batch(texts: Sequence[Tokens], positions: list[int], pad: int) -> TokenBatch:
    """Pad texts on the right to the longest of them."""
    shape = (len(texts), max(len(t.ids) for t in texts))
    ids, mask, segments = np.full(shape, pad, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text.ids)] = text.ids
        mask[row, : len(text.ids)] = 1
        segments[row, : len(text.ids)] = text.segments
    return TokenBatch(ids, mask, segments, positions)

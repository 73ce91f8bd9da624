"""Texts to token ids, as the towers of an encoder want them, and these to padded batches of equal cost."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from schemas.encoder import TowerSpec
from schemas.errors import InputError
from schemas.protocols import ArticleText, Query


class Tokens(NamedTuple):
    """One tokenised text: ids and segment numbers (tokens,)."""

    ids: NDArray[np.int32]
    segments: NDArray[np.int32]
    cut: bool = False
    """Whether the text was longer."""


class TowerTokenizer:
    """Lays texts out as a tower wants them, and tokenises them.

    A text longer than the tower's `max_length` is cut: of a pair the longer segment first, else at its end.
    """

    def __init__(self, folder: Path, tower: TowerSpec) -> None:
        """Load the tokenizer of a model folder.

        Raises:
            InputError: the folder holds no tokenizer.json, or names no end-of-sequence token where one is to be put.
        """
        self._tower = tower
        self._eos = [eos_id(folder)] if tower.append_eos else []
        self._tokenizer = load_tokenizer(folder, tower.max_length - len(self._eos))

    def queries(self, queries: Sequence[Query]) -> list[Tokens]:
        template, task = self._tower.template, self._tower.task
        return self._encode([template.format(text=q.text, task=q.task or task) for q in queries])

    def articles(self, articles: Sequence[ArticleText]) -> list[Tokens]:
        """Tokenise articles. A missing title or abstract is an empty segment, or leaves the other one alone."""
        if self._tower.pair:
            return self._encode([tuple(article) for article in articles])
        return self._encode([self._tower.template.format(text=" ".join(article).strip()) for article in articles])

    def _encode(self, texts: list[str] | list[tuple[str, ...]]) -> list[Tokens]:
        return _tokens(self._tokenizer.encode_batch(texts), self._eos)


def load_tokenizer(folder: Path, max_length: int) -> Tokenizer:
    """Load a fast tokenizer that truncates as transformers does (the longest segment first) and does not pad.

    InputError for a folder without tokenizer.json.
    """
    path = folder / "tokenizer.json"
    if not path.exists():
        raise InputError(f"{folder}: no tokenizer.json; use a model with a fast tokenizer")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length, strategy="longest_first")
    return tokenizer


def eos_id(folder: Path) -> int:
    """Return the id of the tokenizer's end-of-sequence token.

    Raises:
        InputError: tokenizer_config.json names none, or one that the tokenizer does not know.
    """
    path = folder / "tokenizer_config.json"
    token = json.loads(path.read_text()).get("eos_token") if path.exists() else None
    content = token["content"] if isinstance(token, dict) else token
    found = Tokenizer.from_file(str(folder / "tokenizer.json")).token_to_id(content) if content else None
    if found is None:
        raise InputError(f"{path}: eos_token {content!r} is not a token; append_eos needs one")
    return int(found)


def pad_id(folder: Path) -> int:
    """Return the id that pads a batch; the mask hides it, so any id serves where none is named."""
    return int(json.loads((folder / "config.json").read_text()).get("pad_token_id") or 0)


def tokenize_pairs(tokenizer: Tokenizer, query: str, passages: Sequence[str]) -> list[Tokens]:
    """Tokenise a query with each passage as a cross-encoder wants them."""
    return _tokens(tokenizer.encode_batch([(query, passage) for passage in passages]))


def _tokens(encodings: Sequence[Encoding], suffix: list[int] | None = None) -> list[Tokens]:
    end = suffix or []
    return [
        Tokens(np.array(e.ids + end, np.int32), np.array(e.type_ids + [0] * len(end), np.int32), bool(e.overflowing))
        for e in encodings
    ]


class TokenBatch(NamedTuple):
    """A padded batch, and which texts it holds."""

    ids: NDArray[np.int64]  # (B, T)
    mask: NDArray[np.int64]  # (B, T)
    segments: NDArray[np.int64]  # (B, T)
    positions: list[int]


class BatchRule(NamedTuple):
    """What a batch may hold."""

    tokens: int
    """Padded tokens at most, or one longer text: bounds the memory of a pass."""
    padding: int
    """Of them padding at most: as many tokens as a pass of its own would cost beside those that it computes."""


def token_batches(texts: Sequence[Tokens], rule: BatchRule, pad: int) -> Iterator[TokenBatch]:
    """Yield batches of texts of like length.

    Longest first, so that memory peaks at the first batch and not after an hour.
    """
    for positions in batch_positions([len(t.ids) for t in texts], rule):
        yield pad_batch([texts[i] for i in positions], positions, pad)


def batch_positions(lengths: Sequence[int], rule: BatchRule) -> Iterator[list[int]]:
    """Yield which texts make a batch (see `token_batches`), longest first; equal ones in their order."""
    batch: list[int] = []
    padding = 0
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        longest = lengths[batch[0]] if batch else lengths[i]
        padding += longest - lengths[i]
        if batch and ((len(batch) + 1) * longest > rule.tokens or padding > rule.padding):
            yield batch
            batch, padding = [], 0
        batch.append(i)
    if batch:
        yield batch


def padded_tokens(lengths: Sequence[int], rule: BatchRule) -> int:
    """Return how many tokens the batches of texts have, padding included."""
    return sum(len(batch) * lengths[batch[0]] for batch in batch_positions(lengths, rule))


def pad_batch(texts: Sequence[Tokens], positions: list[int], pad: int, *, multiple: int = 1) -> TokenBatch:
    """Pad texts on the right to the longest of them, and to a multiple of so many tokens."""
    shape = (len(texts), -(-max(len(t.ids) for t in texts) // multiple) * multiple)
    ids, mask, segments = np.full(shape, pad, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text.ids)] = text.ids
        mask[row, : len(text.ids)] = 1
        segments[row, : len(text.ids)] = text.segments
    return TokenBatch(ids, mask, segments, positions)

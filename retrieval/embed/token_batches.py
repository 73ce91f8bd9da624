"""Token ids to padded batches of equal cost."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retrieval.embed.tokenizer import Tokens


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


def pad_batch(texts: Sequence[Tokens], positions: list[int], pad: int) -> TokenBatch:
    """Pad texts on the right to the longest of them."""
    shape = (len(texts), max(len(t.ids) for t in texts))
    ids, mask, segments = np.full(shape, pad, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text.ids)] = text.ids
        mask[row, : len(text.ids)] = 1
        segments[row, : len(text.ids)] = text.segments
    return TokenBatch(ids, mask, segments, positions)

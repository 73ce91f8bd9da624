"""What to do when a batch does not fit into the memory of the device: halve it, and remember."""

import sys

import torch

from actors.engine.forward_pass import Finish, Forward, Pending
from retrieval.embed.tokens import TokenBatch
from schemas.errors import UsageError


class BatchHalving:
    """A forward pass that splits what does not fit, by rows, until it does."""

    def __init__(self, forward: Forward) -> None:
        """Guard `forward`, which raises `torch.OutOfMemoryError` for a batch that is too large."""
        self._forward = forward
        self._most_tokens = sys.maxsize

    def __call__(self, batch: TokenBatch, finish: Finish) -> Pending:
        """Start a batch, or its halves one after the other.

        Batches larger than the halves that once worked are split beforehand: running out of memory costs the time
        of a forward pass, and would happen again with every batch.

        Raises:
            UsageError: a single text does not fit.
        """
        rows, width = batch.ids.shape
        hopeful = rows == 1 or batch.ids.size <= self._most_tokens
        if hopeful and (pending := self._tried(batch, finish)):
            return pending
        if rows == 1:
            raise UsageError(
                f"a single text of {width} tokens does not fit into the memory of the device; lower the max_length of"
                " its model, or set engine.precision = 'bfloat16'"
            )
        halves = _halves(batch)
        if hopeful:
            self._most_tokens = min(self._most_tokens, max(half.ids.size for half in halves))
        started = [self(half, finish) for half in halves]
        return lambda: _joined([wait() for wait in started], width)

    def _tried(self, batch: TokenBatch, finish: Finish) -> Pending | None:
        try:
            return self._forward(batch, finish)
        except torch.OutOfMemoryError:
            # The halves run after this, and not in here: the exception keeps the tensors of the failed pass alive.
            return None


def _halves(batch: TokenBatch) -> list[TokenBatch]:
    """Return the two halves of a batch, each as wide as its own longest row."""
    middle = (len(batch.ids) + 1) // 2
    halves = []
    for rows in (slice(middle), slice(middle, None)):
        width = int(batch.mask[rows].sum(axis=1).max())
        ids, mask, segments = (array[rows, :width] for array in (batch.ids, batch.mask, batch.segments))
        halves.append(TokenBatch(ids, mask, segments, batch.positions[rows]))
    return halves


def _joined(parts: list[torch.Tensor], width: int) -> torch.Tensor:
    """Return the rows of all parts, token vectors (B, T, D) with zeros up to `width`."""
    if parts[0].dim() < 3:
        return torch.cat(parts)
    return torch.cat([torch.nn.functional.pad(part, (0, 0, 0, width - part.shape[1])) for part in parts])

"""With a forward pass that runs out of memory above so many padded tokens."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from actors.engine.batch_halving import BatchHalving
from actors.engine.forward_pass import Finish, Pending, as_it_is
from retrieval.embed.tokens import TokenBatch, Tokens, pad_batch
from schemas.errors import UsageError


class Small:
    """A device with room for `room` tokens: gives each token's id twice, as a vector."""

    def __init__(self, room: int) -> None:
        self.room, self.tried = room, list[int]()

    def __call__(self, batch: TokenBatch, finish: Finish) -> Pending:
        self.tried.append(batch.ids.size)
        if batch.ids.size > self.room:
            raise torch.OutOfMemoryError(f"{batch.ids.size} tokens")
        hidden = torch.from_numpy(batch.ids).unsqueeze(-1).expand(-1, -1, 2)
        result = finish(hidden, torch.from_numpy(batch.mask))
        return lambda: result


def texts(lengths: list[int]) -> TokenBatch:
    tokens = [Tokens(np.arange(1, n + 1, dtype=np.int32), np.zeros(n, np.int32)) for n in lengths]
    return pad_batch(tokens, list(range(len(tokens))), 0)


def summed(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (hidden * mask.unsqueeze(-1)).sum(1)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(9, 120))
def test_whatever_fits_the_result_is_the_same(lengths: list[int], room: int) -> None:
    batch, small, large = texts(lengths), BatchHalving(Small(room)), BatchHalving(Small(10_000))
    assert torch.equal(small(batch, summed)(), large(batch, summed)())
    assert torch.equal(small(batch, as_it_is)(), large(batch, as_it_is)())


def test_halves_are_as_wide_as_their_own_longest_text() -> None:
    small = Small(31)
    BatchHalving(small)(texts([8, 7, 3, 2]), summed)()
    assert small.tried == [32, 16, 6]


def test_what_worked_is_remembered() -> None:
    small = Small(40)
    halving = BatchHalving(small)
    halving(texts([8] * 8), summed)()
    halving(texts([8] * 8), summed)()
    assert small.tried == [64, 32, 32, 32, 32]


def test_a_batch_split_beforehand_does_not_lower_what_is_remembered() -> None:
    small = Small(40)
    halving = BatchHalving(small)
    for rows in (8, 5, 4):
        halving(texts([8] * rows), summed)()
    assert small.tried == [64, 32, 32, 24, 16, 32]


def test_one_text_is_tried_however_long_it_is() -> None:
    small = Small(40)
    halving = BatchHalving(small)
    halving(texts([8] * 8), summed)()
    assert halving(texts([39]), summed)().tolist() == [[780, 780]]


def test_one_text_that_does_not_fit_is_refused_with_what_to_lower() -> None:
    with pytest.raises(UsageError) as error:
        BatchHalving(Small(8))(texts([9, 3]), summed)
    assert str(error.value) == (
        "a single text of 9 tokens does not fit into the memory of the device; lower the max_length of its model, or"
        " set engine.precision = 'bfloat16'"
    )


def test_other_errors_are_not_swallowed() -> None:
    def broken(_batch: TokenBatch, _finish: Finish) -> Pending:
        raise RuntimeError("device-side assert")

    with pytest.raises(RuntimeError, match="device-side assert"):
        BatchHalving(broken)(texts([3, 2]), summed)

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch.utils._python_dispatch import TorchDispatchMode

from actors.engine.engines import Engine, Finish, Pending, as_it_is
from actors.engine.torch_engine import (
    BatchHalving,
    NoCopies,
    load_model,
    needs_several_gpus,
    torch_dtype,
    torch_forward,
    weight_bytes,
)
from retrieval.embed.tokens import TokenBatch, Tokens, pad_batch
from schemas.config import EngineConfig
from schemas.errors import UsageError
from tests.support.models import tiny

FLOAT32 = EngineConfig(kind="torch", device="cpu", precision="float32")
SMALL: dict[str, Any] = {
    "vocab_size": len(tiny.SPECIAL + tiny.WORDS),
    "hidden_size": tiny.DIMENSION,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
}
GROUPED = {**SMALL, "num_key_value_heads": 2}


def engine(folder: Path, config: EngineConfig = FLOAT32) -> Engine:
    return Engine(torch_forward(folder, "encoder", torch_dtype(config, "cpu"), "cpu", 1, compiled=config.compile))


def save(config: Any, folder: Path, tokenizer_of: Path) -> None:
    """Write a model of random weights, with the tokenizer of another."""
    torch.manual_seed(0)
    model: Any = transformers.AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    shutil.copy(tokenizer_of / "tokenizer.json", folder)


def row(batch: TokenBatch, number: int) -> TokenBatch:
    """One row of a batch without its padding."""
    width = int(batch.mask[number].sum())
    ids, mask, segments = (array[number : number + 1, :width] for array in batch[:3])
    return TokenBatch(ids, mask, segments, [number])


class Masks(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes which attention ran with a mask, and how often Python asked the device for a value."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.masked: list[bool] = []
        self.asked = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "scaled_dot_product_attention" in str(func):
            self.masked.append(len(args) > 3 and args[3] is not None)
        self.asked += "is_nonzero" in str(func) or "local_scalar" in str(func)
        return func(*args, **(kwargs or {}))


def test_a_batch_without_padding_runs_without_a_mask_and_equals_one_with_it(tiny_encoder: Path) -> None:
    run, batch = engine(tiny_encoder), tiny.pairs(tiny_encoder)
    with Masks() as padded:
        together = run(batch)
    for number in range(len(batch.ids)):
        alone = row(batch, number)
        with Masks() as unpadded:
            result = run(alone)
        torch.testing.assert_close(result[0], together[number, : alone.ids.shape[1]], rtol=0, atol=1e-5)
        assert (unpadded.masked, unpadded.asked) == ([False, False], 0)
    assert padded.masked == [True, True]


@pytest.mark.parametrize(
    "config",
    [transformers.GPTNeoXConfig(**SMALL), transformers.MistralConfig(**GROUPED), transformers.GemmaConfig(**GROUPED)],
    ids=lambda config: config.model_type,
)
def test_a_causal_model_needs_no_mask_for_padding_on_the_right(config: Any, tiny_encoder: Path, tmp_path: Path) -> None:
    save(config, tmp_path, tiny_encoder)
    run, batch = engine(tmp_path), tiny.pairs(tmp_path)
    with Masks() as causal:
        together = run(batch)
    assert causal.masked == [False, False]
    for number in range(len(batch.ids)):
        alone = row(batch, number)
        torch.testing.assert_close(run(alone)[0], together[number, : alone.ids.shape[1]], rtol=0, atol=1e-5)


def test_bfloat16_hardly_changes_what_torch_gives(tiny_encoder: Path) -> None:
    batch = tiny.pairs(tiny_encoder)
    result = engine(tiny_encoder, EngineConfig(kind="torch", device="cpu", precision="bfloat16"))(batch)
    expected = engine(tiny_encoder)(batch)
    assert result.dtype == torch.bfloat16
    real = batch.mask.astype(bool)
    cosines = torch.nn.functional.cosine_similarity(result.float()[real], expected[real], dim=-1)
    assert cosines.min() > 0.999


def test_the_output_is_finished_with_its_mask(tiny_encoder: Path) -> None:
    batch = tiny.pairs(tiny_encoder)
    forward = torch_forward(tiny_encoder, "encoder", torch.float32, "cpu", 1, compiled=False)
    summed = forward(batch, lambda hidden, mask: (hidden * mask.unsqueeze(-1)).sum(1))()
    expected = (forward(batch, as_it_is)() * torch.from_numpy(batch.mask).unsqueeze(-1)).sum(1)
    torch.testing.assert_close(summed, expected)


def test_a_model_keeps_no_keys_and_values(tiny_encoder: Path, tmp_path: Path) -> None:
    save(transformers.GPTNeoXConfig(**SMALL), tmp_path, tiny_encoder)
    model = load_model(tmp_path, "encoder", torch.float32, "cpu")
    assert model(input_ids=torch.ones((1, 4), dtype=torch.int64)).past_key_values is None


GIB = 2**30


def test_weights_take_what_their_shapes_say_in_the_precision_they_run_in(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(3, 5), "b": torch.zeros(7)}, tmp_path / "1.safetensors", metadata={"format": "pt"})
    save_file({"c": torch.zeros(2, 2, 2, dtype=torch.bfloat16), "d": torch.tensor(1.0)}, tmp_path / "2.safetensors")
    files = sorted(tmp_path.glob("*.safetensors"))
    assert weight_bytes(files, 4) == 4 * (15 + 7 + 8 + 1)
    assert weight_bytes(files, 2) == 2 * (15 + 7 + 8 + 1)


@pytest.mark.parametrize(
    ("weights", "free", "several"),
    [
        (14 * GIB, [15 * GIB], False),
        (14 * GIB, [14 * GIB], False),
        (14 * GIB, [24 * GIB, 24 * GIB], False),
        (14 * GIB, [12 * GIB, 12 * GIB], True),
        (14 * GIB, [2 * GIB, 24 * GIB], True),
    ],
)
def test_weights_go_to_one_gpu_if_they_fit_and_else_to_several(weights: int, free: list[int], several: bool) -> None:
    assert needs_several_gpus(weights, free) == several


@pytest.mark.parametrize("free", [[12 * GIB], [6 * GIB, 6 * GIB]])
def test_weights_that_fit_nowhere_are_refused_with_both_sizes(free: list[int]) -> None:
    with pytest.raises(UsageError, match=r"^the weights take 13\.5 GiB, .* 12\.0 GiB free; give more GPUs"):
        needs_several_gpus(27 * GIB // 2, free)


def test_on_a_cpu_nothing_is_copied() -> None:
    ids = np.arange(6).reshape(2, 3)
    tensors = NoCopies().to_device({"ids": ids})
    ids[0, 0] = 7
    assert tensors["ids"].tolist() == ids.tolist()
    result = torch.ones(2)
    assert NoCopies().to_host(result)() is result


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

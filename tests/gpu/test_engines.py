"""The torch engine on a CUDA device, against itself on the CPU."""

from pathlib import Path

import numpy as np
import pytest
import torch

from actors.engine.engines import Engine, load_engine
from retrieval.embed.pooling import pool
from retrieval.embed.tokens import BatchRule, TokenBatch, load_tokenizer, token_batches, tokenize_pairs
from schemas.config import EngineConfig
from tests.support.models import tiny

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

CPU = EngineConfig(kind="torch", device="cpu", precision="float32")
HALF = EngineConfig(device="cuda", precision="bfloat16")
EXACT = EngineConfig(device="cuda", precision="float32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.encoder(tmp_path_factory.mktemp("models") / "encoder")


def engine(folder: Path, config: EngineConfig) -> Engine:
    return load_engine(folder, "encoder", config, threads=2, cache=Path("unused"))


def batches(folder: Path, copies: int, batch_tokens: int) -> list[TokenBatch]:
    """Batches of texts of many lengths."""
    passages = [" ".join(tiny.WORDS[: i % 12]) for i in range(copies)]
    tokens = tokenize_pairs(load_tokenizer(folder, tiny.MAX_LENGTH), "muscle pain", passages)
    return list(token_batches(tokens, BatchRule(batch_tokens, 1024), 0))


def mean(hidden_BTD: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
    return pool(hidden_BTD, mask_BT, "mean")


def test_bfloat16_on_the_gpu_gives_what_float32_gives_on_the_cpu(folder: Path) -> None:
    batch = tiny.pairs(folder)
    result, expected = engine(folder, HALF)(batch), engine(folder, CPU)(batch)
    assert (result.device.type, result.dtype) == ("cpu", torch.bfloat16)
    real = batch.mask.astype(bool)
    assert torch.nn.functional.cosine_similarity(result.float()[real], expected[real], dim=-1).min() >= 0.999


def test_a_batch_without_padding_equals_one_with_it(folder: Path) -> None:
    batch, run = tiny.pairs(folder), engine(folder, HALF)
    together = run(batch).float()
    for row, width in enumerate(batch.mask.sum(axis=1)):
        ids, mask, segments = (array[row : row + 1, :width] for array in batch[:3])
        alone = run(TokenBatch(ids, mask, segments, [row])).float()
        assert torch.nn.functional.cosine_similarity(alone[0], together[row, :width], dim=-1).min() >= 0.999


def test_many_batches_with_copies_beside_the_computation_do_not_mix(folder: Path) -> None:
    given = batches(folder, 5_000, 512)
    exact, expected = engine(folder, EXACT).run(given, mean), engine(folder, CPU).run(given, mean)
    for (one, result), (other, reference) in zip(exact, expected, strict=True):
        assert one is other
        np.testing.assert_allclose(result.numpy(), reference.numpy(), rtol=0, atol=1e-2)


def test_running_out_of_memory_is_survived(folder: Path) -> None:
    [given] = batches(folder, 50_000, 10_000_000)
    run = engine(folder, EXACT)
    [(_, whole)] = run.run([given], mean)
    torch.cuda.empty_cache()
    failures = torch.cuda.memory_stats()["num_ooms"]
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 100 * 2**20) / total)
    try:
        [(_, result)] = run.run([given], mean)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert torch.cuda.memory_stats()["num_ooms"] > failures
    np.testing.assert_allclose(result.numpy(), whole.numpy(), rtol=0, atol=1e-2)

"""Encoders, decoders and re-rankers on a device: whether they are right, and how fast; part of benchmarks/gpu."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, BertConfig, BertForSequenceClassification, BertModel, GPTNeoXConfig

from actors.engine.engines import Engine, Finish, Task, as_it_is, load_engine
from actors.engine.torch_engine import load_model, model_inputs
from benchmarks.gpu.rows import Row, Size, wait_for
from retrieval.embed.pooling import pool
from retrieval.embed.rates import forward_flops
from retrieval.embed.tokens import BatchRule, TokenBatch, Tokens, token_batches
from retrieval.search.fusion import max_sim
from schemas.config import EngineConfig
from schemas.encoder import Pooling
from tests.support.models import tiny

LONGEST = 512
MEAN, SPREAD = 5.55, 0.45
"""Of the logarithm of an article's tokens: 294 at the mean, as MedCPT's are."""
QUERY_TOKENS = 16
LEAST_COSINE, LEAST_OVERLAP = 0.999, 0.9
ROOM = 100 * 2**20
"""Bytes that are left to a pass that is to run out of memory."""


def checks(device: str, size: Size) -> Iterator[Row]:
    """Yield a row for each check."""
    rng = np.random.default_rng(0)
    articles = lengths(rng, size.articles)
    with tempfile.TemporaryDirectory() as folder:
        bert = saved(Path(folder, "bert"), BertModel(BertConfig(vocab_size=size.vocabulary, **size.bert)))
        half = EngineConfig(kind="torch", device=device)
        engine = loaded(bert, "encoder", half)
        peak = engine.peak(torch.get_num_threads())
        texts = made(rng, articles, size.vocabulary)
        yield exactness(bert, engine, texts[:64])
        yield halving(bert, device, texts[:512])
        batches = list(token_batches(texts, engine.batch_rule(size.tokens), 0))
        seconds = timed(engine, batches, pooled("cls"))
        yield Row("BERT-base, articles/s", len(articles) / seconds, "articles/s")
        flops = forward_flops(BertConfig(**size.bert).to_dict(), articles)
        yield Row("BERT-base, of the fastest product", flops / seconds / peak, "MFU")
        yield overlap(bert, engine, batches, seconds)
        yield from reranking(Path(folder), engine, texts, half, size)
        decoder = GPTNeoXConfig(vocab_size=size.vocabulary, **size.decoder)
        with torch.device(device):
            model = AutoModel.from_config(decoder, dtype=engine.dtype)  # type: ignore[no-untyped-call]
        run = loaded(saved(Path(folder, "decoder"), model), "encoder", half)
        del model
        few = articles[: max(1, len(articles) // 8)]
        seconds = timed(run, list(token_batches(texts[: len(few)], run.batch_rule(size.tokens), 0)), pooled("last"))
        yield Row("1B decoder, articles/s", len(few) / seconds, "articles/s")
        yield Row("1B decoder, of the fastest product", forward_flops(decoder.to_dict(), few) / seconds / peak, "MFU")


def lengths(rng: np.random.Generator, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return tokens of articles with an abstract, cut as MedCPT's are."""
    return np.clip(rng.lognormal(MEAN, SPREAD, count), 16, LONGEST).astype(np.int64)


def made(rng: np.random.Generator, tokens: np.ndarray[Any, np.dtype[np.int64]], vocabulary: int) -> list[Tokens]:
    """Return texts of so many random tokens."""
    ids = (rng.integers(5, vocabulary, count).astype(np.int32) for count in tokens)
    return [Tokens(one, np.zeros(len(one), np.int32)) for one in ids]


def saved(folder: Path, model: torch.nn.Module) -> Path:
    """Save a model where an engine loads it from; the tokenizer, which it wants too, is another one's."""
    tiny.encoder(folder)
    model.save_pretrained(folder)  # type: ignore[operator]
    return folder


def loaded(folder: Path, task: Task, config: EngineConfig) -> Engine:
    """Load a model."""
    return load_engine(folder, task, config, threads=torch.get_num_threads(), cache=folder)


def pooled(pooling: Pooling) -> Finish:
    """Return what leaves a vector of each text."""
    return lambda hidden_BTD, mask_BT: pool(hidden_BTD, mask_BT, pooling).float()


def timed(engine: Engine, batches: list[TokenBatch], finish: Finish) -> float:
    """Return the seconds of all batches, after the largest and the smallest to warm up."""
    for _ in engine.run([batches[0], batches[-1]], finish):
        pass
    start = time.perf_counter()
    for _ in engine.run(batches, finish):
        pass
    return time.perf_counter() - start


def exactness(folder: Path, engine: Engine, texts: list[Tokens]) -> Row:
    """Compare a device's vectors with a CPU's in float32."""
    batches = list(token_batches(texts, BatchRule(8192, 1024), 0))
    cpu = loaded(folder, "encoder", EngineConfig(kind="torch", device="cpu", precision="float32"))
    found, expected = (torch.cat([v for _, v in one.run(batches, pooled("cls"))]) for one in (engine, cpu))
    cosine = torch.nn.functional.cosine_similarity(found, expected, dim=1)
    return Row("vectors beside a CPU's in float32", float(cosine.min()), "least cosine", LEAST_COSINE)


def halving(folder: Path, device: str, texts: list[Tokens]) -> Row:
    """Let a batch run out of memory, and compare what comes of it with that of one that did not."""
    name = "a batch that is too large is halved"
    if device != "cuda":
        return Row(name, None, "", skipped="a CPU does not run out of memory in one pass")
    engine = loaded(folder, "encoder", EngineConfig(kind="torch", device="cuda", precision="float32"))
    [batch] = token_batches(texts, BatchRule(10**9, 10**9), 0)
    [(_, whole)] = engine.run([batch], pooled("cls"))
    torch.cuda.empty_cache()
    failures = torch.cuda.memory_stats()["num_ooms"]
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + ROOM) / total)
    try:
        [(_, halved)] = engine.run([batch], pooled("cls"))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    if torch.cuda.memory_stats()["num_ooms"] == failures:
        return Row(name, 0.0, "it did not run out of memory", 1.0)
    cosine = torch.nn.functional.cosine_similarity(halved, whole, dim=1)
    return Row(name, float(cosine.min()), "least cosine", LEAST_COSINE)


def overlap(folder: Path, engine: Engine, batches: list[TokenBatch], seconds: float) -> Row:
    """Compare the passes of an engine with those over batches that are on the device before."""
    device = engine.device
    model = load_model(folder, "encoder", engine.dtype, device)
    there = [
        {name: torch.from_numpy(array).to(device) for name, array in model_inputs(model, batch).items()}
        for batch in batches
    ]
    with torch.inference_mode():
        model(**there[0])
        wait_for(device)
        start = time.perf_counter()
        for inputs in there:
            model(**inputs)
        wait_for(device)
    bare = time.perf_counter() - start
    least = LEAST_OVERLAP if device == "cuda" else None
    return Row("passes with copies beside them", bare / seconds, "of the bare passes' rate", least)


def reranking(folder: Path, engine: Engine, texts: list[Tokens], config: EngineConfig, size: Size) -> Iterator[Row]:
    """Time pairs of a query and an article by late interaction, and by a cross-encoder."""
    passages = texts[: max(1, len(texts) // 8)]
    query = np.random.default_rng(0).standard_normal((QUERY_TOKENS, engine_width(size)), np.float32)
    start = time.perf_counter()
    for batch, output in engine.run(token_batches(passages, engine.batch_rule(size.tokens), 0), as_it_is):
        for row, length in zip(output.float().numpy(), batch.mask.sum(axis=1), strict=True):
            max_sim(query, row[:length])
    yield Row("MaxSim", len(passages) / (time.perf_counter() - start), "pairs/s")
    one_label = {**size.bert, "num_labels": 1}
    classifier = BertForSequenceClassification(BertConfig(vocab_size=size.vocabulary, **one_label))
    run = loaded(saved(folder / "classifier", classifier), "classifier", config)
    batches = list(token_batches(passages, run.batch_rule(size.tokens), 0))
    seconds = timed(run, batches, lambda logits, _: logits[:, 0].float())
    yield Row("cross-encoder of BERT-base", len(passages) / seconds, "pairs/s")


def engine_width(size: Size) -> int:
    """Return the numbers of a token's vector."""
    return int(BertConfig(**size.bert).hidden_size)

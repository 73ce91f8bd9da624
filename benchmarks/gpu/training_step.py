"""One encoder trained for some steps with in-batch negatives; part of benchmarks/gpu."""

import time
from collections.abc import Iterator
from typing import Any

import torch
from transformers import BertConfig, BertModel

from benchmarks.gpu.rows import Row, Size, wait_for

MOST_PAIRS, STEPS = 32, 8
QUERY, ARTICLE = 32, 256
"""Tokens."""
RATE = 1e-4
TEMPERATURE = 0.05


def checks(device: str, size: Size) -> Iterator[Row]:
    """Yield a row for each check."""
    torch.manual_seed(0)
    pairs = min(MOST_PAIRS, size.queries)
    model: Any = BertModel(BertConfig(vocab_size=size.vocabulary, **size.bert))
    model.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), RATE)
    articles = torch.randint(5, size.vocabulary, (pairs, ARTICLE), device=device)
    queries, losses, right = articles[:, :QUERY].clone(), [], torch.arange(pairs, device=device)

    def step() -> float:
        with torch.autocast(device, torch.bfloat16):
            q, a = (model(input_ids=ids).last_hidden_state[:, 0].float() for ids in (queries, articles))
        scores = torch.nn.functional.normalize(q) @ torch.nn.functional.normalize(a).T
        loss = torch.nn.functional.cross_entropy(scores / TEMPERATURE, right)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    losses.append(step())
    start = time.perf_counter()
    losses += [step() for _ in range(STEPS)]
    wait_for(device)
    yield Row("training, BERT-base", pairs * STEPS / (time.perf_counter() - start), "pairs/s")
    yield Row("training, loss before / after", losses[0] / losses[-1], "", 1.0)

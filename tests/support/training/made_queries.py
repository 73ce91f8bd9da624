"""Gradients of a tiny re-ranker."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from actors.train.peers import Peers
from actors.train.reranker.reranker_gradients import RerankerGradients
from actors.train.reranker.trained_reranker import TrainedReranker
from actors.train.spread_models import gathered, placed
from retrieval.embed.tokens import Tokens
from schemas.arrays import Floats
from schemas.training import RerankerTrainConfig

QUERIES, ARTICLES = 5, 4


def made() -> tuple[list[list[Tokens]], Floats, Floats]:
    """Of each query the texts, its weight, and a teacher's scores."""
    rng = np.random.default_rng(0)
    texts = []
    for _ in range(QUERIES):
        ids = [rng.integers(4, 16, rng.integers(3, 20)).astype(np.int32) for _ in range(ARTICLES)]
        texts.append([Tokens(of, (np.arange(len(of)) > 2).astype(np.int32)) for of in ids])
    return texts, rng.random(QUERIES, np.float32) + 0.1, rng.random((QUERIES, ARTICLES), np.float32)


def model(folder: Path, values: dict[str, Any]) -> tuple[TrainedReranker, RerankerTrainConfig]:
    config = RerankerTrainConfig(**{"precision": "float32", **values})
    return TrainedReranker(folder, config).double(), config


def gradients(folder: Path, values: dict[str, Any], peers: Peers) -> dict[str, torch.Tensor]:
    """This worker's share of the gradient by name, where the model is not spread, and of the parts of the loss."""
    reranker, config = model(folder, values)
    reranker.model = placed(reranker.model, config, peers, "cpu")
    texts, weights, taught = made()
    scores: list[Floats | None] = [*taught] if config.distil == "scores" else [None] * QUERIES
    parts = RerankerGradients(reranker, peers, config).add(texts, weights, scores, batch=3, share=1)
    found = {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in reranker.learnt().items()}
    return gathered(found, kept=True) | {f"loss of {name}": part for name, part in parts.items()}

"""What training cannot do without: a loop of torch over batches that are padded before; part of benchmarks/train."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy, normalize
from transformers import AutoModel

from actors.train.retriever.trained_towers import Chunk
from schemas.training import TrainConfig


class BareLoop:
    """Forward, contrast one way, backward, clip, AdamW: of mean-pooled vectors of length 1, without dropout."""

    def __init__(self, folder: Path, config: TrainConfig) -> None:
        """Load a model of BERT's kind."""
        off = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        self._model: Any = AutoModel.from_pretrained(folder, **off).train()
        self._config = config
        self._optimizer = torch.optim.AdamW(self._model.parameters(), config.lr, weight_decay=config.weight_decay)

    def steps(self, batches: Sequence[Sequence[Chunk]]) -> tuple[float, float]:
        """Make a step of each batch; return the seconds of all, and the loss of the first."""
        inputs = [[self._inputs(chunk) for chunk in chunks] for chunks in batches]
        start = time.perf_counter()
        losses = [self._step(of_batch) for of_batch in inputs]
        return time.perf_counter() - start, losses[0]

    @staticmethod
    def _inputs(chunk: Chunk) -> tuple[Chunk, dict[str, torch.Tensor]]:
        ids, mask, segments, _ = chunk.tokens
        named = {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}
        return chunk, {name: torch.from_numpy(array) for name, array in named.items()}

    def _step(self, inputs: Sequence[tuple[Chunk, dict[str, torch.Tensor]]]) -> float:
        vectors: dict[str, list[torch.Tensor]] = {"query": [], "article": []}
        order: dict[str, list[int]] = {"query": [], "article": []}
        for chunk, of in inputs:
            with torch.autocast("cpu", torch.bfloat16):
                hidden_BTD = self._model(**of).last_hidden_state
            mask_BT1 = of["attention_mask"].unsqueeze(2)
            vectors[chunk.side].append(normalize((hidden_BTD * mask_BT1).sum(1) / mask_BT1.sum(1)))
            order[chunk.side] += chunk.rows.tolist()
        queries, articles = (torch.cat(vectors[side])[torch.tensor(order[side]).argsort()] for side in vectors)
        scores = queries @ articles.T / self._config.temperature
        loss = cross_entropy(scores, torch.arange(len(scores)))
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._config.clip)
        self._optimizer.step()
        return float(loss.detach())

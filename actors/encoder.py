"""The encoder: one tower of an encoder spec, loaded once, that turns tokens into vectors."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from actors.engines import load_engine
from actors.models import model_digests, model_folder
from retrieval.pooling import pool, unit
from retrieval.tokens import (
    TokenBatch,
    Tokens,
    load_tokenizer,
    pad_id,
    token_batches,
    tokenize_articles,
    tokenize_queries,
)
from schemas.config import EngineConfig
from schemas.encoder import EncoderSpec, TowerSpec
from schemas.protocols import Vector

Floats = NDArray[np.float32]


class Encoder:
    """A tower's weights in memory. Calls may come from several threads."""

    def __init__(self, spec: EncoderSpec, tower: TowerSpec, engine: EngineConfig, *, threads: int, cache: Path) -> None:
        """Load the weights of `tower`, one of the two of `spec`."""
        folder = model_folder(tower.model, tower.revision, cache)
        self.spec, self.tower = spec, tower
        self.digests = model_digests(folder)
        self.tokenizer = load_tokenizer(folder, tower.max_length)
        self._run = load_engine(folder, "encoder", engine, threads=threads, cache=cache)
        self._batch_tokens = engine.batch_tokens
        self._pad = pad_id(folder)

    def vectors(self, texts: Sequence[Tokens]) -> Floats:
        """Return one vector per tokenised text, (n, dimension)."""
        out = np.empty((len(texts), self.spec.dimension), np.float32)
        for batch, hidden_BTD in self._forward(texts):
            mask_BT = torch.from_numpy(batch.mask).to(hidden_BTD.device)
            pooled_BD = pool(hidden_BTD, mask_BT, self.spec.pooling)
            out[batch.positions] = (unit(pooled_BD) if self.spec.normalize else pooled_BD).cpu().numpy()
        return out

    def token_vectors(self, texts: Sequence[Tokens]) -> list[Floats]:
        """Return for each tokenised text the vectors of its tokens (tokens, dimension), each of length 1."""
        out: list[Floats] = [np.empty((0, self.spec.dimension), np.float32)] * len(texts)
        for batch, hidden_BTD in self._forward(texts):
            units_BTD = unit(hidden_BTD.float()).cpu().numpy()
            for row, position in enumerate(batch.positions):
                out[position] = units_BTD[row, : len(texts[position].ids)]
        return out

    def query_tokens(self, queries: Sequence[str]) -> list[Tokens]:
        """Tokenise queries for this tower."""
        return tokenize_queries(self.tokenizer, self.tower, queries)

    def article_tokens(self, texts: Sequence[tuple[str, str]]) -> list[Tokens]:
        """Tokenise (title, abstract) for this tower."""
        return tokenize_articles(self.tokenizer, self.tower, texts)

    async def encode(self, texts: list[str]) -> list[Vector]:
        """Return the vector of each query (see `QueryEncoder`)."""
        return list(await asyncio.to_thread(lambda: self.vectors(self.query_tokens(texts))))

    def _forward(self, texts: Sequence[Tokens]) -> Iterator[tuple[TokenBatch, torch.Tensor]]:
        for batch in token_batches(texts, self._batch_tokens, self._pad):
            yield batch, self._run(batch)

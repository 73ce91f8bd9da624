"""The towers of an encoder: loaded once, they turn texts into tokens and tokens into vectors."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from actors.engines import load_engine
from actors.models import model_digests, model_folder
from retrieval.pooling import pool, unit
from retrieval.tokens import TokenBatch, Tokens, TowerTokenizer, pad_id, token_batches
from schemas.config import EngineConfig
from schemas.encoder import EncoderSpec, TowerSpec
from schemas.protocols import ArticleText, Query, Vector

Floats = NDArray[np.float32]


class _Tower:
    """A tower's weights in memory. Calls may come from several threads."""

    def __init__(self, spec: EncoderSpec, tower: TowerSpec, engine: EngineConfig, *, threads: int, cache: Path) -> None:
        folder = model_folder(tower.model, tower.revision, cache)
        self.spec = spec
        self.digests = model_digests(folder)
        self._tokenizer = TowerTokenizer(folder, tower)
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

    def _forward(self, texts: Sequence[Tokens]) -> Iterator[tuple[TokenBatch, torch.Tensor]]:
        for batch in token_batches(texts, self._batch_tokens, self._pad):
            yield batch, self._run(batch)


class QueryTower(_Tower):
    """The tower for queries."""

    def __init__(self, spec: EncoderSpec, engine: EngineConfig, *, threads: int, cache: Path) -> None:
        """Load the weights of the spec's query tower."""
        super().__init__(spec, spec.query, engine, threads=threads, cache=cache)

    def tokens(self, queries: Sequence[Query]) -> list[Tokens]:
        """Tokenise queries."""
        return self._tokenizer.queries(queries)

    async def encode(self, queries: list[Query]) -> list[Vector]:
        """Return the vector of each query (see `QueryEncoder`)."""
        return list(await asyncio.to_thread(lambda: self.vectors(self.tokens(queries))))


class ArticleTower(_Tower):
    """The tower for articles."""

    def __init__(self, spec: EncoderSpec, engine: EngineConfig, *, threads: int, cache: Path) -> None:
        """Load the weights of the spec's article tower."""
        super().__init__(spec, spec.article, engine, threads=threads, cache=cache)

    def tokens(self, articles: Sequence[ArticleText]) -> list[Tokens]:
        """Tokenise articles."""
        return self._tokenizer.articles(articles)

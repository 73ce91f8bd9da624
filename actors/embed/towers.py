"""The towers of an encoder: loaded once, they turn texts into tokens and tokens into vectors."""

import json
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Generic, Literal, TypeVar

import numpy as np

from actors.engine.engine_choice import load_engine
from actors.engine.matmul_peak import gemm_peak
from actors.fetch.model_folders import model_digests, model_folder
from retrieval.embed.flops import MLP_MATRICES, forward_flops
from retrieval.embed.pooling import TextVectors, unit
from retrieval.embed.token_batches import TokenBatch, padded_tokens, token_batches
from retrieval.embed.tokenizer import Tokens, TowerTokenizer, pad_id
from schemas.arrays import Floats
from schemas.config import Config
from schemas.encoder import TowerSpec
from schemas.protocols import ArticleText, Query

T = TypeVar("T")


class _Tower(Generic[T]):
    """A tower's weights in memory. Calls may come from several threads."""

    kind: Literal["query", "article"]

    def __init__(self, config: Config, threads: int) -> None:
        self.spec, cache = config.encoder, Path(config.cache)
        tower: TowerSpec = getattr(self.spec, self.kind)
        folder = model_folder(tower.model, tower.revision, cache)
        self.digests = model_digests(folder)
        self._tokenizer = TowerTokenizer(folder, tower)
        self._run = load_engine(folder, "encoder", config.engine, threads=threads, cache=cache)
        self._shapes = json.loads((folder / "config.json").read_text())
        self._rule, self._threads = self._run.batch_rule(config.engine.batch_tokens), threads
        self._pad = pad_id(folder)

    @abstractmethod
    def tokens(self, texts: Sequence[T]) -> list[Tokens]: ...

    def encode(self, texts: Sequence[T]) -> Floats:
        """Return one vector per text, (n, dimension)."""
        return self.vectors(self.tokens(texts))

    def vectors(self, texts: Sequence[Tokens]) -> Floats:
        """Return one vector per tokenised text, (n, dimension)."""
        out = np.empty((len(texts), self.spec.dimension), np.float32)
        finish = TextVectors(self.spec.pooling, self.spec.normalize)
        for batch, vectors_BD in self._run.run(self._batches(texts), finish):
            out[batch.positions] = vectors_BD.numpy()
        return out

    def token_vectors(self, texts: Sequence[Tokens]) -> list[Floats]:
        """Return for each tokenised text the vectors of its tokens (tokens, dimension), each of length 1."""
        out: list[Floats] = [np.empty((0, self.spec.dimension), np.float32)] * len(texts)
        for batch, units_BTD in self._run.run(self._batches(texts), lambda hidden_BTD, _: unit(hidden_BTD.float())):
            for row, position in enumerate(batch.positions):
                out[position] = units_BTD[row, : len(texts[position].ids)].numpy()
        return out

    def flops(self, texts: Sequence[Tokens]) -> float:
        """Return the FLOP that the texts' vectors need; 0 for a kind of model whose shapes are not known."""
        known = self._shapes.get("model_type") in MLP_MATRICES
        return forward_flops(self._shapes, [len(t.ids) for t in texts]) if known else 0.0

    def padded_tokens(self, texts: Sequence[Tokens]) -> int:
        """Return how many tokens are computed for texts, padding included."""
        return padded_tokens([len(t.ids) for t in texts], self._rule)

    def peak(self) -> float:
        """Measure the FLOP/s of a matrix product where and as this tower computes: half a second."""
        return gemm_peak(self._run.device, self._run.dtype, self._threads)

    def _batches(self, texts: Sequence[Tokens]) -> Iterator[TokenBatch]:
        return token_batches(texts, self._rule, self._pad)


class QueryTower(_Tower[Query]):
    """The configured encoder's tower for queries."""

    kind = "query"

    def tokens(self, texts: Sequence[Query]) -> list[Tokens]:
        return self._tokenizer.queries(texts)


class ArticleTower(_Tower[ArticleText]):
    """The configured encoder's tower for articles."""

    kind = "article"

    def tokens(self, texts: Sequence[ArticleText]) -> list[Tokens]:
        return self._tokenizer.articles(texts)

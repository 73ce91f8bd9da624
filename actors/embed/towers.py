"""The towers of an encoder: loaded once, they turn texts into tokens and tokens into vectors."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from actors.engine.engine_choice import load_engine
from actors.engine.matmul_peak import gemm_peak
from actors.fetch.model_folders import model_digests, model_folder
from retrieval.embed.pooling import TextVectors, unit
from retrieval.embed.rates import MLP_MATRICES, forward_flops
from retrieval.embed.tokens import TokenBatch, Tokens, TowerTokenizer, pad_id, padded_tokens, token_batches
from schemas.arrays import Floats
from schemas.config import EngineConfig
from schemas.encoder import EncoderSpec, TowerSpec
from schemas.protocols import ArticleText, Query


class _Tower:
    """A tower's weights in memory. Calls may come from several threads."""

    def __init__(self, spec: EncoderSpec, tower: TowerSpec, engine: EngineConfig, *, threads: int, cache: Path) -> None:
        folder = model_folder(tower.model, tower.revision, cache)
        self.spec = spec
        self.digests = model_digests(folder)
        self._tokenizer = TowerTokenizer(folder, tower)
        self._run = load_engine(folder, "encoder", engine, threads=threads, cache=cache)
        self._shapes = json.loads((folder / "config.json").read_text())
        self._rule, self._threads = self._run.batch_rule(engine.batch_tokens), threads
        self._pad = pad_id(folder)

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


class QueryTower(_Tower):
    """The tower for queries."""

    def __init__(self, spec: EncoderSpec, engine: EngineConfig, *, threads: int, cache: Path) -> None:
        """Load the weights of the spec's query tower."""
        super().__init__(spec, spec.query, engine, threads=threads, cache=cache)

    def tokens(self, queries: Sequence[Query]) -> list[Tokens]:
        """Tokenise queries."""
        return self._tokenizer.queries(queries)


class ArticleTower(_Tower):
    """The tower for articles."""

    def __init__(self, spec: EncoderSpec, engine: EngineConfig, *, threads: int, cache: Path) -> None:
        """Load the weights of the spec's article tower."""
        super().__init__(spec, spec.article, engine, threads=threads, cache=cache)

    def tokens(self, articles: Sequence[ArticleText]) -> list[Tokens]:
        """Tokenise articles."""
        return self._tokenizer.articles(articles)

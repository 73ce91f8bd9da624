"""The towers of an encoder: loaded once, they turn texts into tokens and tokens into vectors. Both behind one seam."""

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from actors.engine.engines import in_thread, load_engine
from actors.engine.grouping import alike_together
from actors.fetch.model_folders import model_digests
from actors.fetch.stored_models import folder_of, shapes_of
from retrieval.embed.pooling import TextVectors, unit
from retrieval.embed.rates import MLP_MATRICES, forward_flops
from retrieval.embed.tokens import TokenBatch, Tokens, TowerTokenizer, pad_id, padded_tokens, token_batches
from schemas.arrays import Floats, Vector
from schemas.config import Config
from schemas.encoder import TowerSpec
from schemas.errors import InputError, UnavailableError
from schemas.protocols import ArticleText, Query

LOG = logging.getLogger("pubray.towers")
T = TypeVar("T")
R = TypeVar("R")


class _Tower(Generic[T]):
    """A tower's weights in memory. Calls may come from several threads.

    InputError: the weights cannot be had, or their vectors have another dimension.
    """

    kind: Literal["query", "article"]

    def __init__(self, config: Config, threads: int) -> None:
        self.spec, cache = config.encoder, Path(config.cache)
        tower: TowerSpec = getattr(self.spec, self.kind)
        folder = folder_of(tower, config)
        self.digests = model_digests(folder)
        self._tokenizer = TowerTokenizer(folder, tower)
        self._run = load_engine(folder, "encoder", config.engine, threads=threads, cache=cache)
        self._shapes = shapes_of(tower, config)
        if (size := self._shapes.get("hidden_size", self.spec.dimension)) != self.spec.dimension:
            raise InputError(f"encoder.dimension = {self.spec.dimension}: {tower.model} makes {size}; set it to {size}")
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
        return self._run.peak(self._threads)

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


class TextEncoder:
    """Encodes queries by the query tower, and article texts by the article tower, which is loaded for the first one."""

    def __init__(self, query_tower: QueryTower, load_article_tower: Callable[[], ArticleTower]) -> None:
        self.query_tower, self._load = query_tower, load_article_tower

    async def encode(self, texts: list[Query | ArticleText]) -> list[Vector]:
        return await in_thread(self._read, texts, lambda tower, alike: tower.encode(alike))

    async def count_tokens(self, texts: list[Query | ArticleText]) -> list[int]:
        return await in_thread(self._read, texts, lambda tower, alike: [len(one.ids) for one in tower.tokens(alike)])

    @cached_property
    def _article_tower(self) -> ArticleTower:
        try:
            return self._load()
        except InputError as error:
            # Of the service, not of the request: a client is not told where its models lie.
            LOG.error("the article tower cannot be loaded: %s", error)
            raise UnavailableError("the article tower cannot be loaded; the service's log says why") from None

    def _read(self, texts: list[Query | ArticleText], read: Callable[[_Tower[Any], list[Any]], Iterable[R]]) -> list[R]:
        """Return what `read` makes of each text by the tower that the text is for."""

        def of_kind(kind: type[Query | ArticleText], alike: list[Any]) -> Iterable[R]:
            return read(self.query_tower if kind is Query else self._article_tower, alike)

        return alike_together(texts, type, of_kind)

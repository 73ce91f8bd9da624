"""Both towers of an encoder behind one seam."""

import logging
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, TypeVar

from actors.embed.towers import ArticleTower, QueryTower
from actors.engine.abandonable import in_thread
from actors.engine.alike import alike_together
from retrieval.embed.tokens import Tokens
from schemas.arrays import Vector
from schemas.errors import InputError, UnavailableError
from schemas.protocols import ArticleText, Query

T = TypeVar("T")

LOG = logging.getLogger("pubray.towers")


class TextEncoder:
    """Encodes queries by the query tower, and article texts by the article tower, which is loaded for the first one."""

    def __init__(self, query_tower: QueryTower, load_article_tower: Callable[[], ArticleTower]) -> None:
        """Take the query tower, and how to load the other."""
        self.query_tower, self._load = query_tower, load_article_tower

    async def encode(self, texts: list[Query | ArticleText]) -> list[Vector]:
        """See `Encoder`."""
        return await in_thread(self._read, texts, lambda tower, tokens: tower.vectors(tokens))

    async def count_tokens(self, texts: list[Query | ArticleText]) -> list[int]:
        """See `Encoder`."""
        return await in_thread(self._read, texts, lambda _, tokens: [len(one.ids) for one in tokens])

    @cached_property
    def _article_tower(self) -> ArticleTower:
        try:
            return self._load()
        except InputError as error:
            # Of the service, not of the request: a client is not told where its models lie.
            LOG.error("the article tower cannot be loaded: %s", error)
            raise UnavailableError("the article tower cannot be loaded; the service's log says why") from None

    def _read(
        self, texts: list[Query | ArticleText], read: Callable[[QueryTower | ArticleTower, list[Tokens]], Iterable[T]]
    ) -> list[T]:
        """Return what is made of each text's tokens, by the tower that the text is for."""

        def of_kind(kind: type[Query | ArticleText], alike: list[Any]) -> Iterable[T]:
            tower = self.query_tower if kind is Query else self._article_tower
            return read(tower, tower.tokens(alike))

        return alike_together(texts, type, of_kind)

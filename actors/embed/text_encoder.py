"""Both towers of an encoder behind one seam."""

import logging
from collections.abc import Callable, Iterator
from functools import cached_property

from actors.embed.towers import ArticleTower, QueryTower
from actors.engine.abandonable import in_thread
from retrieval.embed.tokenizer import Tokens
from schemas.arrays import Vector
from schemas.errors import InputError, UnavailableError
from schemas.protocols import ArticleText, Query

LOG = logging.getLogger("pubray.towers")


class TextEncoder:
    """Encodes queries by the query tower, and article texts by the article tower, which is loaded for the first one."""

    def __init__(self, query_tower: QueryTower, load_article_tower: Callable[[], ArticleTower]) -> None:
        """Take the query tower, and how to load the other."""
        self.query_tower, self._load = query_tower, load_article_tower

    async def encode(self, texts: list[Query | ArticleText]) -> list[Vector]:
        """See `Encoder`."""
        return await in_thread(self._vectors, texts)

    async def count_tokens(self, texts: list[Query | ArticleText]) -> list[int]:
        """See `Encoder`."""
        return await in_thread(self._counts, texts)

    @cached_property
    def _article_tower(self) -> ArticleTower:
        try:
            return self._load()
        except InputError as error:
            # Of the service, not of the request: a client is not told where its models lie.
            LOG.error("the article tower cannot be loaded: %s", error)
            raise UnavailableError("the article tower cannot be loaded; the service's log says why") from None

    def _vectors(self, texts: list[Query | ArticleText]) -> list[Vector]:
        found: dict[int, Vector] = {}
        for tower, places, tokens in self._tokens(texts):
            found |= zip(places, tower.vectors(tokens), strict=True)
        return [found[i] for i in range(len(texts))]

    def _counts(self, texts: list[Query | ArticleText]) -> list[int]:
        found: dict[int, int] = {}
        for _, places, tokens in self._tokens(texts):
            found |= zip(places, (len(one.ids) for one in tokens), strict=True)
        return [found[i] for i in range(len(texts))]

    def _tokens(
        self, texts: list[Query | ArticleText]
    ) -> Iterator[tuple[QueryTower | ArticleTower, list[int], list[Tokens]]]:
        """Yield each tower that is needed, the places of its texts, and their tokens."""
        queries = {i: text for i, text in enumerate(texts) if isinstance(text, Query)}
        articles = {i: text for i, text in enumerate(texts) if isinstance(text, ArticleText)}
        if queries:
            yield self.query_tower, [*queries], self.query_tower.tokens([*queries.values()])
        if articles:
            yield self._article_tower, [*articles], self._article_tower.tokens([*articles.values()])

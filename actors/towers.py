"""Both towers of an encoder behind one seam."""

import asyncio
from collections.abc import Callable
from functools import cached_property

from actors.encoder import ArticleTower, QueryTower
from schemas.protocols import ArticleText, Query, Vector


class Towers:
    """Encodes queries by the query tower, and article texts by the article tower, which is loaded for the first one."""

    def __init__(self, query_tower: QueryTower, load_article_tower: Callable[[], ArticleTower]) -> None:
        """Take the query tower, and how to load the other."""
        self.query_tower, self._load = query_tower, load_article_tower

    async def encode(self, texts: list[Query | ArticleText]) -> list[Vector]:
        """See `Encoder`."""
        return await asyncio.to_thread(self._vectors, texts)

    @cached_property
    def _article_tower(self) -> ArticleTower:
        return self._load()

    def _vectors(self, texts: list[Query | ArticleText]) -> list[Vector]:
        queries = {i: text for i, text in enumerate(texts) if isinstance(text, Query)}
        articles = {i: text for i, text in enumerate(texts) if isinstance(text, ArticleText)}
        found: dict[int, Vector] = {}
        if queries:
            tower = self.query_tower
            found |= zip(queries, tower.vectors(tower.tokens([*queries.values()])), strict=True)
        if articles:
            other = self._article_tower
            found |= zip(articles, other.vectors(other.tokens([*articles.values()])), strict=True)
        return [found[i] for i in range(len(texts))]

import asyncio
from pathlib import Path

import numpy as np

from actors.encoder import ArticleTower, QueryTower
from actors.towers import Towers
from schemas.config import EngineConfig
from schemas.protocols import ArticleText, Query
from tests.unit.actors import tiny

ENGINE = EngineConfig(kind="torch", precision="float32")
QUERIES = [Query("asthma"), Query("statin muscle pain in mice")]
ARTICLES = [ArticleText("asthma", "in mice"), ArticleText("", "statin")]


def test_each_text_goes_through_its_own_tower_and_keeps_its_place(tiny_encoder: Path) -> None:
    spec = tiny.spec(tiny_encoder)
    query = QueryTower(spec, ENGINE, threads=1, cache=Path("unused"))
    article = ArticleTower(spec, ENGINE, threads=1, cache=Path("unused"))
    loaded = []

    def load() -> ArticleTower:
        loaded.append(article)
        return article

    towers = Towers(query, load)
    found = asyncio.run(towers.encode([*QUERIES]))
    assert not loaded
    expected = query.vectors(query.tokens(QUERIES))
    np.testing.assert_allclose(np.stack(found), expected, rtol=0, atol=1e-6)
    mixed = asyncio.run(towers.encode([ARTICLES[0], QUERIES[0], ARTICLES[1], QUERIES[1]]))
    np.testing.assert_allclose(np.stack(mixed[1::2]), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.stack(mixed[::2]), article.vectors(article.tokens(ARTICLES)), rtol=0, atol=1e-5)
    assert len(loaded) == 1
    counts = asyncio.run(towers.count_tokens([ARTICLES[0], QUERIES[0]]))
    assert counts == [len(article.tokens(ARTICLES)[0].ids), len(query.tokens(QUERIES)[0].ids)]

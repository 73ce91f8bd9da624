import asyncio
from pathlib import Path

import numpy as np
import pytest

from actors.embed.text_encoder import TextEncoder
from actors.embed.towers import ArticleTower, QueryTower
from schemas.config import EngineConfig
from schemas.errors import UnavailableError
from schemas.protocols import ArticleText, Query
from tests.support.models import tiny

ENGINE = EngineConfig(kind="torch", precision="float32")
QUERIES = [Query("asthma"), Query("statin muscle pain in mice")]
ARTICLES = [ArticleText("asthma", "in mice"), ArticleText("", "statin")]


def test_each_text_goes_through_its_own_tower_and_keeps_its_place(tiny_encoder: Path) -> None:
    config = tiny.config(tiny.spec(tiny_encoder), ENGINE)
    query, article = QueryTower(config, 1), ArticleTower(config, 1)
    loaded = []

    def load() -> ArticleTower:
        loaded.append(article)
        return article

    towers = TextEncoder(query, load)
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


def test_without_the_article_tower_queries_are_encoded_and_only_the_log_says_where_it_was_looked_for(
    tiny_encoder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec, gone = tiny.spec(tiny_encoder), str(tiny_encoder / "gone")
    missing = spec.model_copy(update={"article": spec.article.model_copy(update={"model": gone})})
    towers = TextEncoder(
        QueryTower(tiny.config(spec, ENGINE), 1), lambda: ArticleTower(tiny.config(missing, ENGINE), 1)
    )
    for method in (towers.encode, towers.count_tokens):
        with pytest.raises(UnavailableError, match=r"^the article tower cannot be loaded; the service's log says why$"):
            asyncio.run(method([*ARTICLES]))
    assert gone in caplog.text
    assert len(asyncio.run(towers.encode([*QUERIES]))) == len(QUERIES)

"""How well a re-ranker orders, for held-out queries, the article that answers among those that rank high."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from actors.embed.towers import ArticleTower, QueryTower
from actors.search.rerankers import load_reranker
from actors.train.held_out import HeldOut
from retrieval.train.ranks import first_ndcg
from schemas.article import DisplayArticle
from schemas.config import Config
from schemas.protocols import ArticleText, Match, Scoring


def ordered_ndcg(config: Config, held_out: Sequence[HeldOut], threads: int) -> dict[str, NDArray[np.float64]]:
    """Return nDCG@10 of each query by the configured second stage, by signal; where there is none, by the first."""
    queries, articles, reranker = QueryTower(config, threads), ArticleTower(config, threads), load_reranker(config)
    found = {}
    for of_signal in held_out:
        vectors = queries.encode(of_signal.queries)
        first = [articles.encode(of) @ query for of, query in zip(of_signal.articles, vectors, strict=True)]
        final = first
        if reranker:
            scorings = [
                Scoring(query, [Match(float(s), shown(text)) for s, text in zip(scores, of, strict=True)])
                for query, of, scores in zip(of_signal.queries, of_signal.articles, first, strict=True)
            ]
            # A query at a time: token vectors of all their articles would be gigabytes.
            final = [np.array([score.final for score in reranker.scores([one])[0]]) for one in scorings]
        found[of_signal.signal] = first_ndcg(final)
    return found


def shown(text: ArticleText) -> DisplayArticle:
    """Return an article of these texts, for a re-ranker."""
    return DisplayArticle(0, title=text.title, abstract=text.abstract)

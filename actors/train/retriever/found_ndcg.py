"""How well an encoder finds held-out articles by their queries, each among those of all signals."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from actors.embed.towers import ArticleTower, QueryTower
from actors.train.held_out import HeldOut
from retrieval.articles.article import text_hash
from retrieval.train.ranks import pooled_ndcg
from schemas.config import Config


def found_ndcg(config: Config, held_out: Sequence[HeldOut], threads: int) -> dict[str, NDArray[np.float64]]:
    """Return nDCG@10 of each query by the configured encoder, by signal.

    What a query was made of is left out of the article that answers it, and of no other one.
    """
    queries, articles = QueryTower(config, threads), ArticleTower(config, threads)
    pool = {text_hash(*text): text for of in held_out for text in of.whole}
    keys, vectors = np.array([*pool], np.uint64), articles.encode([*pool.values()])
    found = {}
    for of in held_out:
        own = np.array([text_hash(*text) for text in of.whole], np.uint64)
        answers = articles.encode([answer for answer, *_ in of.articles])
        found[of.signal] = pooled_ndcg(queries.encode(of.queries), answers, vectors, own[:, None] != keys)
    return found

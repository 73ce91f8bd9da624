"""How well an encoder finds held-out articles by their queries, each among those of its signal."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from actors.embed.towers import ArticleTower, QueryTower
from actors.train.held_out import HeldOut
from retrieval.train.ranks import single_ndcg
from schemas.config import Config


def found_ndcg(config: Config, held_out: Sequence[HeldOut], threads: int) -> dict[str, NDArray[np.float64]]:
    """Return nDCG@10 of each query by the configured encoder, by signal."""
    queries, articles = QueryTower(config, threads), ArticleTower(config, threads)
    return {
        of.signal: single_ndcg(queries.encode(of.queries), articles.encode([answer for answer, *_ in of.articles]))
        for of in held_out
    }

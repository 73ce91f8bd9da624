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

    What a query was made of is left out of the article that answers it, and of no other one. Others that answer it, and
    those of the same text, do not stand against it.
    """
    queries, articles = QueryTower(config, threads), ArticleTower(config, threads)
    pool = {pmid: text for of in held_out for pmid, text in zip(of.pmids, of.whole, strict=True)}
    pmids, vectors = np.array([*pool]), articles.encode([*pool.values()])
    hashes = np.array([text_hash(*text) for text in pool.values()], np.uint64)
    found = {}
    for of in held_out:
        answering = np.array([np.isin(pmids, answers) for answers in of.answers])
        alike = np.array([text_hash(*text) for text in of.whole], np.uint64)[:, None] == hashes
        answers = articles.encode([answer for answer, *_ in of.articles])
        found[of.signal] = pooled_ndcg(queries.encode(of.queries), answers, vectors, ~(answering | alike))
    return found

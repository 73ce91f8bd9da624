"""How well an encoder finds held-out articles by their queries, each among those of its signal."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.embed.towers import ArticleTower, QueryTower
from actors.store.stores import open_store
from actors.train.training_run import TrainPlan
from actors.train.training_texts import texts_here
from retrieval.train.pairs.held_out_pairs import judged_by
from retrieval.train.pairs.pair_sets import read_all_pairs
from retrieval.train.pairs.texts import without
from retrieval.train.ranks import single_ndcg
from schemas.config import Config
from schemas.pair import Span
from schemas.protocols import ArticleText, Query


class Asked(NamedTuple):
    """Queries of a signal, and the article that answers each, without what the query was made of."""

    signal: str
    queries: list[Query]
    articles: list[ArticleText]


class HeldOut:
    """Held-out pairs of some sets; none of their articles is trained on."""

    def __init__(self, config: Config, plan: TrainPlan, most: int, *, decides: bool) -> None:
        """Read the texts of what `judged_by` returns."""
        store = open_store(config)
        chosen = judged_by(read_all_pairs(store, plan.pairs, "held-out"), most, decides=decides)
        pmids = np.concatenate([np.empty(0, np.int64), *(of["pmid"].to_numpy() for of in chosen.values())])
        texts = texts_here(config, store, plan.snapshot, plan.pairs, pmids)
        self.asked = []
        for signal, of in chosen.items():
            rows = of.to_pydict()
            queries = [Query(*query) for query in zip(rows["query"], rows["instruction"], strict=True)]
            whole = texts.read(of["pmid"].to_numpy())
            left = [without(text, Span(**drop)) for text, drop in zip(whole, rows["drop"], strict=True)]
            self.asked.append(Asked(signal, queries, left))

    def measure(self, config: Config, threads: int) -> dict[str, NDArray[np.float64]]:
        """Return nDCG@10 of each query by the configured encoder, by signal."""
        queries, articles = QueryTower(config, threads), ArticleTower(config, threads)
        return {
            asked.signal: single_ndcg(queries.encode(asked.queries), articles.encode(asked.articles))
            for asked in self.asked
        }

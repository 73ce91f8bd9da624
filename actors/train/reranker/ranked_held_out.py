"""How well a re-ranker orders, for held-out queries, the article that answers among those that rank high."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.embed.towers import ArticleTower, QueryTower
from actors.search.rerankers import load_reranker
from actors.store.stores import open_store
from actors.train.training_run import TrainPlan
from actors.train.training_texts import texts_here
from retrieval.train.pairs.held_out_pairs import judged_by
from retrieval.train.pairs.pair_sets import read_all_pairs
from retrieval.train.pairs.texts import without
from retrieval.train.ranks import first_ndcg
from schemas.article import DisplayArticle
from schemas.config import Config
from schemas.errors import InputError
from schemas.pair import Span
from schemas.protocols import ArticleText, Match, Query, Scoring


class Ordered(NamedTuple):
    """Queries of a signal, each with its candidates: the article that answers is the first of them."""

    signal: str
    queries: list[Query]
    articles: list[list[ArticleText]]


class RankedHeldOut:
    """Held-out pairs of some sets with the articles near their queries; as many as a search re-ranks."""

    def __init__(self, config: Config, plan: TrainPlan, most: int, *, decides: bool) -> None:
        """Read the texts of what `judged_by` returns.

        Raises:
            InputError: no pair has near articles.
        """
        store, depth = open_store(config), config.rerank.candidates - 1
        held_out = read_all_pairs(store, plan.pairs, "held-out")
        chosen = {signal: of.to_pylist() for signal, of in judged_by(held_out, most, decides=decides).items()}
        keys = [[[pair["pmid"], *pair["near"][:depth]] for pair in of] for of in chosen.values()]
        if chosen and all(len(of_pair) == 1 for of in keys for of_pair in of):
            raise InputError("held-out pairs have no near articles to be ordered; mine with mine.near = 32")
        pmids = np.array([pmid for of in keys for of_pair in of for pmid in of_pair], np.int64)
        texts = texts_here(config, store, plan.snapshot, plan.pairs, pmids)
        self.asked = []
        for (signal, pairs), of_signal in zip(chosen.items(), keys, strict=True):
            queries = [Query(pair["query"], pair["instruction"]) for pair in pairs]
            articles = [texts.read(np.array(of_pair, np.int64)) for of_pair in of_signal]
            for pair, of_pair in zip(pairs, articles, strict=True):
                of_pair[0] = without(of_pair[0], Span(**pair["drop"]))
            self.asked.append(Ordered(signal, queries, articles))

    def measure(self, config: Config, threads: int) -> dict[str, NDArray[np.float64]]:
        """Return nDCG@10 of each query by the configured second stage, by signal; where there is none, by the first."""
        queries, articles, reranker = QueryTower(config, threads), ArticleTower(config, threads), load_reranker(config)
        found = {}
        for asked in self.asked:
            of_queries = queries.encode(asked.queries)
            first = [articles.encode(of) @ query for of, query in zip(asked.articles, of_queries, strict=True)]
            final = first
            if reranker:
                scorings = [
                    Scoring(query, [Match(float(s), shown(text)) for s, text in zip(scores, of, strict=True)])
                    for query, of, scores in zip(asked.queries, asked.articles, first, strict=True)
                ]
                # A query at a time: token vectors of all their articles would be gigabytes.
                final = [np.array([score.final for score in reranker.scores([one])[0]]) for one in scorings]
            found[asked.signal] = first_ndcg(final)
        return found


def shown(text: ArticleText) -> DisplayArticle:
    """Return an article of these texts, for a re-ranker."""
    return DisplayArticle(0, title=text.title, abstract=text.abstract)

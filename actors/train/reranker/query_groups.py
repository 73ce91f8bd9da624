"""The queries that a re-ranker learns from, in memory, and those of a batch with their articles."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from actors.train.training_texts import TrainingTexts
from retrieval.train.batches import QueryBatches, hard_negatives
from retrieval.train.pairs.checks import check_negatives, check_scores, refuse_held_out, scores_of
from retrieval.train.pairs.pair_sets import lists, query_keys
from retrieval.train.pairs.texts import without
from schemas.arrays import Floats, Pmids
from schemas.errors import InputError
from schemas.pair import Span
from schemas.protocols import ArticleText
from schemas.training import RerankerTrainConfig


class QueryGroup(NamedTuple):
    """A query, and what is to be ordered for it."""

    query: str
    articles: list[ArticleText]
    """1 + n: the positive is the first."""
    weight: float
    taught: Floats | None
    """(1 + n,): a teacher's scores; None: it has none."""


class QueryGroups:
    """Of some pairs. Memory: 600 bytes a pair, with 32 near articles and 8 negatives each."""

    def __init__(self, pairs: pa.Table, texts: TrainingTexts, config: RerankerTrainConfig) -> None:
        """Train on these rows of `PAIR_SCHEMA`.

        Raises:
            InputError: they have fewer queries than a batch, or too few mined negatives, or no teacher's scores.
        """
        self._pairs, self._texts, self._config = pairs.combine_chunks(), texts, config
        self._pmids = self._pairs["pmid"].to_numpy()
        self._negatives, self._scores = ([*lists(self._pairs[name])] for name in ("negatives", "scores"))
        check_negatives(self._negatives, config.negatives, "train_reranker.negatives")
        if config.distil == "scores":
            check_scores(self._scores, self._negatives)
        keys = query_keys(self._pairs)
        if (queries := len(np.unique(keys))) < config.batch:
            raise InputError(f"{queries} queries to train on are fewer than train_reranker.batch = {config.batch}")
        self._batches = QueryBatches(keys, batch=config.batch, seed=config.seed)

    def refuse(self, held_out: Pmids) -> None:
        """Raise an InputError if an article that is held out would be trained on."""
        refuse_held_out(self._pmids, self._negatives, held_out)

    def batch(self, number: int) -> list[QueryGroup]:
        """Return batch number 0, 1, …"""
        config, rows = self._config, self._batches(number)
        negatives = [self._negatives[row] for row in rows]
        places = hard_negatives([*map(len, negatives)], config.negatives, config.seed, number)
        groups = []
        taught = scores_of([self._scores[row] for row in rows], places) if config.distil == "scores" else None
        for at, row in enumerate(rows.tolist()):
            pair = self._pairs.slice(row, 1).to_pylist()[0]
            pmids = np.append(pair["pmid"], negatives[at][places[at]])
            positive, *others = self._texts.read(pmids)
            articles = [without(positive, Span(**pair["drop"])), *others]
            groups.append(QueryGroup(pair["query"], articles, pair["weight"], None if taught is None else taught[at]))
        return groups

"""The queries of a re-ranker's step, each with what is to be ordered for it."""

from typing import NamedTuple

import numpy as np

from actors.train.mined_pairs import MinedPairs
from retrieval.train.batches import QueryBatches
from retrieval.train.pairs.pair_sets import query_keys
from schemas.arrays import Floats
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
    """Queries in batches, each with one of its positives."""

    def __init__(self, pairs: MinedPairs, config: RerankerTrainConfig) -> None:
        """Raises:
        InputError: there are fewer queries than a batch has.
        """
        self._pairs, keys = pairs, query_keys(pairs.pairs)
        pairs.refuse_few(len(np.unique(keys)), "queries")
        self._batches = QueryBatches(keys, batch=config.batch, seed=config.seed)

    def batch(self, number: int) -> list[QueryGroup]:
        """Return batch number 0, 1, …"""
        drawn = self._pairs.drawn(self._batches(number), number)
        weights = drawn.pairs["weight"].to_pylist()
        taught = [None] * len(weights) if drawn.taught is None else [*drawn.taught]
        groups = zip(drawn.queries, drawn.positives, drawn.negatives, weights, taught, strict=True)
        return [QueryGroup(query.text, [first, *others], *rest) for query, first, others, *rest in groups]

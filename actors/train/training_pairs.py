"""The pairs that are trained on, in memory, and the batch of texts of a step."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from actors.train.gradients import TextBatch
from actors.train.trained_towers import Towers
from actors.train.training_texts import TrainingTexts
from retrieval.articles.article import text_hash
from retrieval.train.batches import Batches, hard_negatives
from retrieval.train.pairs.pair_sets import lists, query_keys
from retrieval.train.pairs.texts import without
from schemas.errors import InputError
from schemas.pair import Span
from schemas.protocols import ArticleText, Query
from schemas.training import TrainConfig


class TrainingPairs:
    """Pairs of some sets. Memory: 600 bytes a pair, with 32 near articles and 8 negatives each."""

    def __init__(self, pairs: pa.Table, texts: TrainingTexts, config: TrainConfig) -> None:
        """Train on these rows of `PAIR_SCHEMA`.

        Raises:
            InputError: they are fewer than a batch, or have too few mined negatives.
        """
        self._pairs, self._texts, self._config = pairs.combine_chunks(), texts, config
        self._pmids = self._pairs["pmid"].to_numpy()
        self._negatives = list(lists(self._pairs["negatives"]))
        fewest = min(map(len, self._negatives), default=0)
        if config.hard_negatives > fewest:
            raise InputError(
                f"train.hard_negatives = {config.hard_negatives}, but some pairs have {fewest} mined negatives; lower "
                "it, or mine with a larger mine.negatives or mine.margin"
            )
        if len(self._pmids) < config.batch:
            raise InputError(f"{len(self._pmids)} pairs to train on are fewer than train.batch = {config.batch}")
        near = list(lists(self._pairs["near"]))
        self._batches = Batches(self._pmids, near, batch=config.batch, neighbours=config.neighbours, seed=config.seed)

    def step(self, number: int, towers: Towers) -> list[TextBatch]:
        """Return the batches of a step, tokenised."""
        each = self._config.accumulate
        return [self._batch(batch, towers) for batch in range(number * each, (number + 1) * each)]

    def _batch(self, number: int, towers: Towers) -> TextBatch:
        rows = self._batches(number)
        of = self._pairs.take(pa.array(rows))
        pairs = of.to_pydict()
        mined = [self._negatives[row] for row in rows]
        further = hard_negatives(mined, self._config.hard_negatives, self._config.seed, number).reshape(-1)
        articles = self._texts.read(np.concatenate([self._pmids[rows], further]))
        spans = [Span(**drop) for drop in pairs["drop"]]
        left = [without(*of) for of in zip(articles, spans, strict=False)] + articles[len(rows) :]
        queries = [Query(*of) for of in zip(pairs["query"], pairs["instruction"], strict=True)]
        return TextBatch(
            texts=towers.tokens(queries, left),
            weights=np.array(pairs["weight"], np.float32),
            query_keys=query_keys(of).view(np.int64),
            text_keys=_text_keys(articles),
        )


def _text_keys(articles: Sequence[ArticleText]) -> np.ndarray:
    """Return a key of each whole text, whatever is left out of it."""
    return np.array([text_hash(*article) for article in articles], np.uint64).view(np.int64)

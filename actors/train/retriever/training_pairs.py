"""The pairs that are trained on, in memory, and the batch of texts of a step."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from actors.train.retriever.gradients import TextBatch
from actors.train.retriever.trained_towers import Towers
from actors.train.training_texts import TrainingTexts
from retrieval.articles.article import text_hash
from retrieval.train.batches import Batches, hard_negatives
from retrieval.train.pairs.checks import check_negatives, check_scores, refuse_held_out, scores_of
from retrieval.train.pairs.pair_sets import lists, query_keys
from retrieval.train.pairs.texts import without
from schemas.arrays import Pmids
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
        self._scores = list(lists(self._pairs["scores"]))
        check_negatives(self._negatives, config.hard_negatives, "train.hard_negatives")
        if config.distil == "scores":
            check_scores(self._scores, self._negatives)
        if len(self._pmids) < config.batch:
            raise InputError(f"{len(self._pmids)} pairs to train on are fewer than train.batch = {config.batch}")
        near = list(lists(self._pairs["near"]))
        self._batches = Batches(self._pmids, near, batch=config.batch, neighbours=config.neighbours, seed=config.seed)

    def refuse(self, held_out: Pmids) -> None:
        """Raise an InputError if an article that is held out would be trained on."""
        refuse_held_out(self._pmids, self._negatives if self._config.hard_negatives else [], held_out)

    def batch(self, number: int, towers: Towers) -> TextBatch:
        """Return batch number 0, 1, …, tokenised."""
        rows = self._batches(number)
        of = self._pairs.take(pa.array(rows))
        pairs = of.to_pydict()
        negatives = [self._negatives[row] for row in rows]
        places = hard_negatives([*map(len, negatives)], self._config.hard_negatives, self._config.seed, number)
        further = [of_pair[drawn] for of_pair, drawn in zip(negatives, places, strict=True)]
        articles = self._texts.read(np.concatenate([self._pmids[rows], *further]))
        spans = [Span(**drop) for drop in pairs["drop"]]
        left = [without(*of) for of in zip(articles, spans, strict=False)] + articles[len(rows) :]
        queries = [Query(*of) for of in zip(pairs["query"], pairs["instruction"], strict=True)]
        return TextBatch(
            texts=towers.tokens(queries, left),
            weights=np.array(pairs["weight"], np.float32),
            query_keys=query_keys(of).view(np.int64),
            text_keys=_text_keys(articles),
            taught=scores_of([self._scores[row] for row in rows], places) if self._config.distil == "scores" else None,
        )


def _text_keys(articles: Sequence[ArticleText]) -> np.ndarray:
    """Return a key of each whole text, whatever is left out of it."""
    return np.array([text_hash(*article) for article in articles], np.uint64).view(np.int64)

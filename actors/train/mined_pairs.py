"""The pairs that are trained on, in memory, and of some of them their texts with mined negatives."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from actors.store.stores import open_store
from actors.train.training_run import TrainPlan, run_config
from actors.train.training_texts import TrainingTexts, texts_here
from retrieval.train.batches import hard_negatives
from retrieval.train.pairs.checks import check_scores, refuse_held_out, scores_of
from retrieval.train.pairs.pair_sets import lists, mixed_pairs, read_all_pairs
from retrieval.train.pairs.texts import without
from schemas.arrays import Floats, Pmids, RowNumbers
from schemas.config import Config
from schemas.errors import InputError
from schemas.pair import Span
from schemas.protocols import ArticleText, Query
from schemas.training import RunConfig


class Drawn(NamedTuple):
    """Some pairs, each with n of its negatives."""

    pairs: pa.Table
    """Rows of `PAIR_SCHEMA`."""
    queries: list[Query]
    positives: list[ArticleText]
    """Without what their queries were made of."""
    whole: list[ArticleText]
    """The same with it."""
    negatives: list[list[ArticleText]]
    taught: Floats | None
    """(pairs, 1 + n): a teacher's scores of the positive and the negatives; None: it has none."""


class MinedPairs:
    """Pairs of some sets. Memory: 600 bytes a pair, with 32 near articles and 8 negatives each."""

    def __init__(self, pairs: pa.Table, texts: TrainingTexts, config: RunConfig) -> None:
        """Train on those of these rows of `PAIR_SCHEMA` that have negatives enough.

        Raises:
            InputError: some have no teacher's scores.
        """
        enough = pc.greater_equal(pc.list_value_length(pairs["negatives"]), config.hard_negatives)
        self.pairs, self._texts, self._config = pairs.filter(enough).combine_chunks(), texts, config
        self.left_out = len(pairs) - len(self.pairs)
        self.pmids: Pmids = self.pairs["pmid"].to_numpy()
        self._negatives, self._scores = ([*lists(self.pairs[name])] for name in ("negatives", "scores"))
        if config.distil == "scores":
            check_scores(self._scores, self._negatives)

    def refuse_few(self, found: int, what: str) -> None:
        """Raise an InputError if so many of something are fewer than a batch."""
        of = self._config
        if found >= of.batch:
            return
        why = f"{found} {what} to train on are fewer than {of.table}.batch = {of.batch}"
        if self.left_out:
            why += (
                f", for {self.left_out} pairs have fewer than {of.table}.hard_negatives = {of.hard_negatives} mined "
                "negatives; lower it, or mine with a larger mine.negatives or mine.margin"
            )
        raise InputError(why)

    def refuse(self, held_out: Pmids) -> None:
        """Raise an InputError if an article that is held out would be trained on."""
        refuse_held_out(self.pmids, self._negatives if self._config.hard_negatives else [], held_out)

    def drawn(self, rows: RowNumbers, batch: int) -> Drawn:
        """Return these pairs, with the negatives that batch number 0, 1, … has of them."""
        mined = [self._negatives[row] for row in rows]
        places = hard_negatives([*map(len, mined)], self._config.hard_negatives, self._config.seed, batch)
        pmids = [of[places_of] for of, places_of in zip(mined, places, strict=True)]
        texts = self._texts.read(np.concatenate([self.pmids[rows], *pmids]))
        whole, further = texts[: len(rows)], texts[len(rows) :]
        count = self._config.hard_negatives
        pairs = self.pairs.take(pa.array(rows))
        spans = [Span(**drop) for drop in pairs["drop"].to_pylist()]
        asked = zip(pairs["query"].to_pylist(), pairs["instruction"].to_pylist(), strict=True)
        taught = self._config.distil == "scores"
        return Drawn(
            pairs=pairs,
            queries=[Query(*query) for query in asked],
            positives=[without(*of) for of in zip(whole, spans, strict=True)],
            whole=whole,
            negatives=[further[count * number : count * (number + 1)] for number in range(len(rows))],
            taught=scores_of([self._scores[row] for row in rows], places) if taught else None,
        )


def pairs_to_train(config: Config, plan: TrainPlan) -> MinedPairs:
    """Read the pairs of a run, and the texts that it needs.

    Raises:
        InputError: they lack something, or some of them are held out.
        StoreError: pairs, or the articles they name, are not there.
    """
    store, of = open_store(config), run_config(config, plan.kind)
    pairs = mixed_pairs(read_all_pairs(store, plan.pairs, "train"), of.mix)
    negatives = pairs["negatives"].combine_chunks().values if of.hard_negatives else pa.array([], pa.int64())
    named = pa.concat_arrays([pairs["pmid"].combine_chunks(), negatives])
    mined = MinedPairs(pairs, texts_here(config, store, plan.snapshot, plan.pairs, named), of)
    mined.refuse(read_all_pairs(store, plan.pairs, "held-out")["pmid"].to_numpy())
    return mined

"""The batch of texts of a retriever's step."""

import numpy as np

from actors.train.mined_pairs import MinedPairs
from actors.train.retriever.gradients import TextBatch
from actors.train.retriever.trained_towers import Towers
from retrieval.articles.article import text_hash
from retrieval.train.batches import Batches
from retrieval.train.pairs.pair_sets import lists, query_keys
from schemas.training import TrainConfig


class TrainingPairs:
    """Pairs in batches, in which each is contrasted with the others."""

    def __init__(self, pairs: MinedPairs, config: TrainConfig) -> None:
        """Raises:
        InputError: they are fewer than a batch.
        """
        self._pairs = pairs
        pairs.refuse_few(len(pairs.pmids), "pairs")
        near = list(lists(pairs.pairs["near"]))
        self._batches = Batches(pairs.pmids, near, batch=config.batch, neighbours=config.neighbours, seed=config.seed)

    def batch(self, number: int, towers: Towers) -> TextBatch:
        """Return batch number 0, 1, …, tokenised."""
        drawn = self._pairs.drawn(self._batches(number), number)
        negatives = [text for of_pair in drawn.negatives for text in of_pair]
        # Keys are those of whole texts, whatever is left out of them.
        keys = [text_hash(*article) for article in (*drawn.whole, *negatives)]
        return TextBatch(
            texts=towers.tokens(drawn.queries, [*drawn.positives, *negatives]),
            weights=drawn.pairs["weight"].to_numpy().astype(np.float32),
            query_keys=query_keys(drawn.pairs).view(np.int64),
            text_keys=np.array(keys, np.uint64).view(np.int64),
            taught=drawn.taught,
        )

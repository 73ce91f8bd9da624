"""The batches of a run of training, for those who are compared with it; part of benchmarks/train."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors.fetch.stored_models import folder_of
from actors.train.mined_pairs import pairs_to_train
from actors.train.retriever.trained_towers import SIDES, Chunk, Side, Towers
from actors.train.retriever.training_pairs import TrainingPairs
from actors.train.training_run import TrainPlan
from schemas.config import Config
from schemas.protocols import ArticleText, Query


class _Untokenised:
    """Stands where towers do, and leaves texts as they are."""

    def tokens(self, queries: Sequence[Query], articles: Sequence[ArticleText]) -> dict[Side, Any]:
        return {"query": queries, "article": articles}


class SameBatches:
    """Batch 0, 1, … of a run, as texts and as what a model is given."""

    def __init__(self, config: Config, plan: TrainPlan) -> None:
        """Read the pairs and their texts."""
        self._pairs = TrainingPairs(pairs_to_train(config, plan), config.train)
        self.folders: dict[Side, Path] = {side: folder_of(getattr(config.encoder, side), config) for side in SIDES}
        self._towers = Towers(config.encoder, self.folders, config.train)

    def texts(self, number: int) -> dict[Side, list[str]]:
        """Return the queries and their articles."""
        as_they_are: Any = _Untokenised()
        found: dict[Side, Any] = self._pairs.batch(number, as_they_are).texts
        return {
            "query": [query.text for query in found["query"]],
            "article": [" ".join(article).strip() for article in found["article"]],
        }

    def chunks(self, number: int) -> list[Chunk]:
        """Return the same, tokenised and padded."""
        return self._towers.chunks(self._pairs.batch(number, self._towers).texts)

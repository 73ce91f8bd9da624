"""A re-ranker in training: the queries that it learns from, and those by which it is judged."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from actors.fetch.stored_models import folder_of, keep_trained, start_of
from actors.store.stores import open_store
from actors.train.adapted_models import merged
from actors.train.held_out import HeldOut, read_held_out
from actors.train.learner import BatchFacts
from actors.train.mined_pairs import pairs_to_train
from actors.train.peers import Peers
from actors.train.reranker.query_groups import QueryGroups
from actors.train.reranker.reranker_gradients import RerankerGradients
from actors.train.reranker.trained_reranker import TrainedReranker
from actors.train.saved_models import ABOUT, write_model
from actors.train.spread_models import gathered, placed
from actors.train.training_run import TrainPlan
from retrieval.train.ranks import first_ndcg
from schemas.config import Config

TOKENIZER = ("tokenizer*", "special_tokens_map.json", "vocab*", "merges.txt", "*.model")
"""Files of a model's folder."""


class RerankerLearner:
    """A cross-encoder that starts as the configured one, or as the article tower of the encoder with a new head."""

    def __init__(self, config: Config, plan: TrainPlan, peers: Peers, device: str) -> None:
        """Load the start model and the pairs.

        Raises:
            InputError: there is too little to train on, or some of it is held out.
            StoreError: pairs, or the articles they name, are not there.
        """
        self._of, self._store = config.train_reranker, open_store(config)
        [start] = start_of(config, "reranker")
        self._model = TrainedReranker(folder_of(start, config), self._of)
        self._model.model = placed(self._model.model, self._of, peers, device)
        self._gradients = RerankerGradients(self._model, peers, self._of)
        pairs = pairs_to_train(config, plan)
        self._groups, self._left_out = QueryGroups(pairs, self._of), pairs.left_out
        self._peers = peers
        decides = self._of.evaluate_every
        self._held_out: list[HeldOut] = read_held_out(config, plan, decides=True) if decides else []

    @property
    def left_out(self) -> int:
        return self._left_out

    def learnt(self) -> dict[str, torch.nn.Parameter]:
        return self._model.learnt()

    def add(self, batch: int, share: float) -> BatchFacts:
        groups = self._groups.batch(batch)
        texts = [self._model.tokens(group.query, group.articles) for group in groups]
        weights = np.array([group.weight for group in groups], np.float32)
        taught = [group.taught for group in groups]
        losses = self._gradients.add(texts, weights, taught, batch, share)
        return BatchFacts(losses, sum(len(text.ids) for of_query in texts for text in of_query))

    def evaluate(self) -> dict[str, float]:
        found = {}
        for of_signal in self._held_out:
            asked = zip(of_signal.queries, of_signal.articles, strict=True)
            texts = [self._model.tokens(query.text, articles) for query, articles in asked]
            found[of_signal.signal] = float(first_ndcg(self._gradients.scores(texts)).mean())
        return found

    def model(self, about: dict[str, Any], work: Path) -> dict[str, Any]:
        model, first = merged(self._model.model, self._of), self._peers.rank == 0
        weights = gathered(model.state_dict(), kept=first)
        if not first:
            return {}
        write_model(work / "reranker", model, weights, self._model.folder, TOKENIZER, {ABOUT: about})
        name = keep_trained(self._store, work / "reranker")
        return {"rerank": {"kind": "cross-encoder", "model": name, "revision": None, "bin_sha256": None}}

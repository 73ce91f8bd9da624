"""A retriever in training: its towers, the pairs that they learn from, and those by which it is judged."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from actors.fetch.stored_models import folder_of
from actors.store.stores import open_store
from actors.train.adapted_models import merged, prepared
from actors.train.held_out import HeldOut, read_held_out
from actors.train.learner import BatchFacts
from actors.train.mined_pairs import pairs_to_train
from actors.train.peers import Peers
from actors.train.retriever.gradients import Gradients
from actors.train.retriever.saved_towers import saved
from actors.train.retriever.trained_towers import SIDES, Side, Towers
from actors.train.retriever.training_pairs import TrainingPairs
from actors.train.spread_models import gathered, placed
from actors.train.training_run import TrainPlan
from retrieval.train.ranks import single_ndcg
from retrieval.train.soup import SHARES, soup
from schemas.config import Config


class RetrieverLearner:
    """Towers that start as those of the configured encoder."""

    def __init__(self, config: Config, plan: TrainPlan, peers: Peers, device: str) -> None:
        """Load the start model and the pairs.

        Raises:
            InputError: there is too little to train on, or some of it is held out.
            StoreError: pairs, or the articles they name, are not there.
        """
        self._config, self._peers = config, peers
        self._store, of = open_store(config), config.train
        folders: dict[Side, Path] = {side: folder_of(getattr(config.encoder, side), config) for side in SIDES}
        place = partial(placed, config=of, peers=peers, device=device)
        self._start = Towers(config.encoder, folders, of).change(place)
        towers = Towers(config.encoder, folders, of)
        self.towers = towers.change(partial(prepared, config=of, task="FEATURE_EXTRACTION")).change(place)
        self._gradients = Gradients(self.towers, self._start if of.distil == "maxsim" else None, peers, of)
        pairs = pairs_to_train(config, plan)
        self._pairs, self._left_out = TrainingPairs(pairs, of), pairs.left_out
        decides = of.evaluate_every or of.soup == "auto"
        self._held_out: list[HeldOut] = read_held_out(config, plan, decides=True) if decides else []

    @property
    def left_out(self) -> int:
        return self._left_out

    def learnt(self) -> dict[str, torch.nn.Parameter]:
        return self.towers.learnt()

    def add(self, batch: int, share: float) -> BatchFacts:
        of_batch = self._pairs.batch(batch, self.towers)
        tokens = sum(len(text.ids) for side in SIDES for text in of_batch.texts[side])
        return BatchFacts(self._gradients.add(of_batch, batch, share), tokens)

    def evaluate(self) -> dict[str, float]:
        found = {}
        for of in self._held_out:
            tokens = self.towers.tokens(of.queries, [answer for answer, *_ in of.articles])
            vectors = self._gradients.vectors(tokens)
            found[of.signal] = float(single_ndcg(*(vectors[side].float().cpu().numpy() for side in SIDES)).mean())
        return found

    def model(self, about: dict[str, Any], work: Path) -> dict[str, Any]:
        self.towers.change(partial(merged, config=self._config.train))
        share, first = self._mixed(), self._peers.rank == 0
        weights = {side: gathered(model.state_dict(), kept=first) for side, model in self.towers.models.items()}
        if not first:
            return {}
        spec = saved(self._store, self.towers, weights, {**about, "soup": share}, work)
        return {"encoder": spec.model_dump(mode="json")}

    def _mixed(self) -> float:
        """Put into the towers the configured share of what was learnt, or the best one; return which it is."""
        start, learnt = dict(self._start.named_parameters()), dict(self.towers.named_parameters())
        trained = {name: weights.detach().clone() for name, weights in learnt.items()}

        @torch.no_grad()
        def mix(share: float) -> None:
            for name, weights in soup(start, trained, share).items():
                learnt[name].copy_(weights)

        wanted = self._config.train.soup
        if wanted == "auto":
            means = []
            for share in SHARES:
                mix(share)
                means.append(np.mean([*self.evaluate().values()]))
            wanted = SHARES[int(np.argmax(means))]
        mix(wanted)
        return wanted

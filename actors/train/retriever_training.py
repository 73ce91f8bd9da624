"""A run of training a retriever, as each of its workers sees it: what it goes on from, its steps, what it leaves."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import torch

from actors.fetch.stored_models import folder_of
from actors.store.stores import open_store
from actors.train.peers import Peers
from actors.train.saved_models import saved
from actors.train.trained_towers import SIDES, Side, Towers
from actors.train.trainer import StepFacts, Trainer
from actors.train.training_pairs import TrainingPairs
from actors.train.training_texts import TrainingTexts, write_texts
from retrieval.articles.pmids import distinct
from retrieval.articles.snapshot import read_snapshot
from retrieval.train.pairs.pair_sets import read_pairs
from schemas.config import Config
from schemas.encoder import EncoderSpec
from schemas.layout import Layout
from schemas.store import Store

KEPT = 2
"""States: the newest, and one before it."""


class TrainPlan(NamedTuple):
    """What a run is made of."""

    run: str
    """Its id: of all that the weights depend on."""
    pairs: tuple[str, ...]
    snapshot: str
    """Where the texts of their articles are."""


class TrainStep(NamedTuple):
    """A step that is done."""

    number: int
    facts: StepFacts
    pairs: int
    tokens: int
    seconds: float


class RetrieverTraining:
    """One worker of a run."""

    def __init__(self, config: Config, plan: TrainPlan, peers: Peers, device: str) -> None:
        """Load the start model and the pairs, and go on from the newest state that there is.

        Raises:
            InputError: there is too little to train on.
            StoreError: pairs, or the articles they name, are not there.
        """
        self._config, self._plan, self._peers = config, plan, peers
        self._store, of = open_store(config), config.train
        folders: dict[Side, Path] = {side: folder_of(getattr(config.encoder, side), config) for side in SIDES}
        self._start = Towers(config.encoder, folders, of).to(device)
        towers = Towers(config.encoder, folders, of).to(device)
        self.trainer = Trainer(towers, self._start if of.distil == "maxsim" else None, peers, of)
        self._pairs = self._read(folders)
        if newest := newest_state(self._store, plan.run):
            self.trainer.load(self._store.local(newest))
        self.begun_at = self.trainer.done
        self.over = False

    def _read(self, folders: dict[Side, Path]) -> TrainingPairs:
        table = pa.concat_tables(read_pairs(self._store, name, "train") for name in self._plan.pairs)
        negatives = table["negatives"].combine_chunks().values.to_numpy() if self._config.train.hard_negatives else []
        pmids = distinct(
            pa.concat_arrays([table["pmid"].combine_chunks(), pa.array(negatives, pa.int64())]).to_numpy().copy()
        )
        path = Path(self._config.cache, "training", f"{self._plan.run}.arrow")
        write_texts(self._store, read_snapshot(self._store, self._plan.snapshot), self._plan.pairs, pmids, path)
        return TrainingPairs(table, TrainingTexts(path), self._config.train)

    def steps(self) -> Iterator[TrainStep]:
        """Make the steps that are left; once the first worker is `over`, all keep the state and end."""
        of = self._config.train
        while self.trainer.done < of.steps:
            start = time.perf_counter()
            batches = self._pairs.step(self.trainer.done, self.trainer.towers)
            facts = self.trainer.step(batches)
            over = torch.tensor(float(self._peers.rank == 0 and self.over), device=self.trainer.towers.device)
            self._peers.add(over)
            if over or self.trainer.done % of.checkpoint_steps == 0 or self.trainer.done == of.steps:
                self._keep()
            tokens = sum(len(text.ids) for batch in batches for side in SIDES for text in batch.texts[side])
            pairs = of.batch * of.accumulate
            yield TrainStep(self.trainer.done, facts, pairs, tokens, time.perf_counter() - start)
            if over:
                return

    def _keep(self) -> None:
        """Put the state into the store, of which all workers have the same."""
        if self._peers.rank:
            return
        run = self._plan.run
        with self._store.incoming(Layout.checkpoint(run, f"{self.trainer.done:08d}")) as path:
            self.trainer.save(path)
        for name in sorted(self._store.names(Layout.checkpoints(run)))[:-KEPT]:
            self._store.remove(f"{Layout.checkpoints(run)}/{name}")

    def model(self, about: dict[str, Any], work: Path) -> EncoderSpec:
        """Put the trained model into the store; return the spec by which it is used."""
        return saved(self._store, self.trainer.towers, self._start, self._config.train.soup, about, work)


def newest_state(store: Store, run: str) -> str | None:
    """Return the key of the newest state of a run; None: there is none."""
    names = sorted(store.names(Layout.checkpoints(run)))
    return f"{Layout.checkpoints(run)}/{names[-1]}" if names else None

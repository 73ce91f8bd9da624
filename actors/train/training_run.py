"""A worker's part of a run of training: from the newest state in the store, through the steps, to the model."""

import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from actors.train.learner import Learner
from actors.train.peers import Peers
from actors.train.trainer import StepFacts, Trainer
from retrieval.train.curve import Point, best_step, is_past_best
from schemas.config import Config
from schemas.layout import Layout
from schemas.store import Store
from schemas.training import RunConfig

KEPT = 2
"""States: the newest, and one before it; the best too."""
Kind = Literal["retriever", "reranker"]


class TrainPlan(NamedTuple):
    """What a run is made of."""

    kind: Kind
    run: str
    """Its id: of all that the weights depend on."""
    pairs: tuple[str, ...]
    snapshot: str
    """Where the texts of their articles are."""


def run_config(config: Config, kind: Kind) -> RunConfig:
    """Return the table of a configuration by which such a run is made."""
    return config.train if kind == "retriever" else config.train_reranker


class TrainStep(NamedTuple):
    """A step that is done."""

    number: int
    facts: StepFacts
    seconds: float


class TrainingRun:
    """One worker of a run."""

    def __init__(self, store: Store, run: str, learner: Learner, peers: Peers, config: RunConfig) -> None:
        """Go on from the newest state that there is."""
        self._store, self._run, self._learner, self._peers, self._config = store, run, learner, peers, config
        self.trainer = Trainer(learner, peers, config)
        if newest := newest_state(store, run):
            self.trainer.load(store.local(newest))
        self.begun_at = self.trainer.done
        before, now = self.trainer.made_by, self.trainer.maker
        self.changed = f"{before}, now {now}" if before and before != now else None
        """How those who go on differ from those who made the steps before; None: they do not."""
        self._kept = self.begun_at if newest else None
        """The step of the newest state."""
        self.over = False
        """Whether to end after the next step; the first worker's counts."""

    @property
    def curve(self) -> list[Point]:
        return self.trainer.curve

    @property
    def finished(self) -> bool:
        return self.trainer.done == self._config.steps or is_past_best(self.curve, self._config.patience)

    def steps(self) -> Iterator[TrainStep]:
        """Make the steps that are left; once the first worker is `over`, all keep the state and end."""
        every = self._config.evaluate_every
        if every and not self.curve:
            self._evaluate()
            self.keep()
        while not self.finished:
            start = time.perf_counter()
            facts, done = self.trainer.step(), self.trainer.done
            seconds = time.perf_counter() - start
            over = torch.tensor(float(self._peers.rank == 0 and self.over), device=self.trainer.device)
            self._peers.add(over)
            evaluated = every and (done % every == 0 or done == self._config.steps)
            if evaluated:
                self._evaluate()
            if over or evaluated or done % self._config.checkpoint_steps == 0 or done == self._config.steps:
                self.keep()
            yield TrainStep(done, facts, seconds)
            if over:
                return

    def _evaluate(self) -> None:
        self.curve.append(Point(self.trainer.done, self._learner.evaluate()))

    def keep(self) -> None:
        """Put the state into the store, if it is not there; all workers call this alike, and the first one does it."""
        if self._kept == self.trainer.done:
            return
        self._kept = self.trainer.done
        first = self._peers.rank == 0
        with self._store.incoming(self._state(self.trainer.done)) if first else nullcontext() as path:
            self.trainer.save(path)
        if not first:
            return
        kept = {self._state(best_step(self.curve))} if self.curve else set()
        newest = self._state(self.trainer.done)  # another one of the same run may be further
        for key in [key for key in states(self._store, self._run) if key <= newest][:-KEPT]:
            if key not in kept:
                self._store.remove(key)

    def _state(self, step: int) -> str:
        return Layout.checkpoint(self._run, f"{step:08d}")

    def model(self, about: dict[str, Any], work: Path) -> dict[str, Any]:
        """Make the model of the best state, where there were evaluations; see `Learner.model`."""
        curve = self.curve  # the best state knows less of it
        if curve and (best := best_step(curve)) != self.trainer.done:
            self.trainer.load(self._store.local(self._state(best)))
        return self._learner.model({**about, "curve": [point._asdict() for point in curve]}, work)


def states(store: Store, run: str) -> list[str]:
    """Return the keys of the states of a run that are kept, in order of their steps."""
    return [f"{Layout.checkpoints(run)}/{name}" for name in sorted(store.names(Layout.checkpoints(run)))]


def newest_state(store: Store, run: str) -> str | None:
    """Return the key of the newest state of a run; None: there is none."""
    return next(reversed(states(store, run)), None)

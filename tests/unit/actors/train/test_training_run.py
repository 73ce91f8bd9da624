"""A run of any kind: evaluations, the best state, an end before its last step."""

from pathlib import Path
from typing import Any

import pytest
import torch

from actors.store.local_store import LocalStore
from actors.train.peers import Alone
from actors.train.training_run import TrainingRun, newest_state
from schemas.layout import Layout
from tests.support.training.made_steps import MadeLearner

VALUES: dict[str, Any] = {"loss": "two-way", "steps": 6, "checkpoint_steps": 100, "evaluate_every": 2, "dropout": True}


class Judged(MadeLearner):
    """One that is as good as it is said to be."""

    def __init__(self, folder: Path, values: dict[str, Any], found: list[float]) -> None:
        super().__init__(folder, VALUES | values, Alone())
        self._found = iter(found)

    def evaluate(self) -> dict[str, float]:
        return {"title": next(self._found)}


def run(store: LocalStore, learner: MadeLearner, name: str = "run") -> TrainingRun:
    return TrainingRun(store, name, learner, Alone(), learner.config)


def states(store: LocalStore, name: str = "run") -> list[int]:
    return sorted(int(Path(of).stem) for of in store.names(Layout.checkpoints(name)))


def test_the_best_state_becomes_the_model_and_is_kept(tiny_encoder: Path, tmp_path: Path) -> None:
    store, at_two = LocalStore(str(tmp_path)), {}
    learner = Judged(tiny_encoder, {}, [0.1, 0.7, 0.3, 0.7])
    training = run(store, learner)
    for step in training.steps():
        if step.number == 2:
            at_two = {name: p.detach().clone() for name, p in learner.learnt().items()}
    assert [(point.step, point.mean) for point in training.curve] == [(0, 0.1), (2, 0.7), (4, 0.3), (6, 0.7)]
    assert states(store) == [2, 4, 6]
    assert training.finished
    model = training.model({}, tmp_path)["weights"]
    assert all(torch.equal(model[name], weights) for name, weights in at_two.items())


def test_a_run_that_gets_no_better_ends(tiny_encoder: Path, tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    training = run(store, Judged(tiny_encoder, {"patience": 2, "steps": 20}, [0.1, 0.7, 0.6, 0.5]))
    assert [step.number for step in training.steps()][-1] == 6
    assert training.finished
    again = run(store, Judged(tiny_encoder, {"patience": 2, "steps": 20}, []))
    assert again.finished  # nothing is done again
    assert not [*again.steps()]


@pytest.mark.parametrize("stopped", [1, 2, 3])
def test_a_run_that_goes_on_knows_what_was_found_before(tiny_encoder: Path, tmp_path: Path, stopped: int) -> None:
    store = LocalStore(str(tmp_path))
    whole, other = MadeLearner(tiny_encoder, VALUES, Alone()), MadeLearner(tiny_encoder, VALUES, Alone())
    undisturbed = run(store, whole, "whole")
    assert len([*undisturbed.steps()]) == 6
    first = run(store, other)
    for step in first.steps():
        first.over = step.number == stopped
    assert newest_state(store, "run") == Layout.checkpoint("run", f"{stopped + 1:08d}")
    again = run(store, learner := MadeLearner(tiny_encoder, VALUES, Alone()))
    assert again.begun_at == stopped + 1
    assert len([*again.steps()]) == 5 - stopped
    assert again.curve == undisturbed.curve
    assert all(torch.equal(p, learner.learnt()[name]) for name, p in whole.learnt().items())


def test_without_evaluations_the_last_state_is_the_model(tiny_encoder: Path, tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    learner = MadeLearner(tiny_encoder, VALUES | {"evaluate_every": 0, "checkpoint_steps": 2}, Alone())
    training = run(store, learner)
    assert len([*training.steps()]) == 6
    assert (training.curve, states(store)) == ([], [4, 6])
    model = training.model({}, tmp_path)["weights"]
    assert all(torch.equal(p, model[name]) for name, p in learner.learnt().items())


def test_it_is_told_that_others_go_on(tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, threads = LocalStore(str(tmp_path)), torch.get_num_threads()
    first = run(store, MadeLearner(tiny_encoder, VALUES, Alone()))
    assert first.changed is None
    for _ in first.steps():
        first.over = True
    assert run(store, MadeLearner(tiny_encoder, VALUES, Alone())).changed is None
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    again = run(store, MadeLearner(tiny_encoder, VALUES, Alone()))
    assert again.changed == f"1 workers of {threads} threads, now 1 workers of 7 threads"

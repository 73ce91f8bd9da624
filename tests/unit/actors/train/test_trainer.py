from pathlib import Path

import pytest
import torch

from retrieval.train.curve import Point
from tests.support.training import made_steps

VALUES = {"loss": "two-way", "distil": "maxsim", "dropout": True}


@pytest.mark.parametrize("stopped", [0, 3])
def test_a_run_that_goes_on_ends_in_the_bits_of_one_that_was_not_stopped(
    tiny_encoder: Path, tmp_path: Path, stopped: int
) -> None:
    whole, of_whole = made_steps.trainer(tiny_encoder, VALUES)
    whole.curve = [Point(0, {"title": 0.5})]
    for number in range(5):
        if number == stopped:
            whole.save(tmp_path / "state.safetensors")
        whole.step()
    again, of_again = made_steps.trainer(tiny_encoder, VALUES)
    again.load(tmp_path / "state.safetensors")
    assert (again.done, again.curve) == (stopped, whole.curve)
    for _ in range(stopped, 5):
        again.step()
    for name, weights in of_whole.learnt().items():
        assert torch.equal(weights, of_again.learnt()[name]), name


def test_a_step_says_what_it_was_and_lowers_the_loss(tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    always = made_steps.made_batch()
    monkeypatch.setattr(made_steps, "made_batch", lambda number: always)
    values = {"loss": "two-way", "distil": "maxsim", "lr": 1e-2, "steps": 20, "warmup": 1}
    trainer, learner = made_steps.trainer(tiny_encoder, values)
    before = {name: of.clone() for name, of in learner.learnt().items()}
    facts = [trainer.step()]
    assert all(torch.equal(of, before[name]) for name, of in learner.learnt().items())  # it begins with a rate of 0
    facts += [trainer.step() for _ in range(14)]
    assert {*facts[0].losses} == {"contrast", "distillation"}
    assert facts[0].norm > 0
    assert sum(facts[-1].losses.values()) < 0.7 * sum(facts[0].losses.values())


def test_batches_of_a_step_count_alike(tiny_encoder: Path) -> None:
    """The gradient of two is the mean of theirs, as MedCPT accumulates."""
    two, learner = made_steps.trainer(tiny_encoder, {"loss": "two-way", "accumulate": 2, "clip": 1e9})
    alone = [learner.add(number, 0.5) for number in (0, 1)]
    wanted = [p.grad.clone() for p in learner.learnt().values() if p.grad is not None]
    facts = two.step()
    assert facts.losses["contrast"] == pytest.approx(sum(float(of.losses["contrast"]) for of in alone) / 2)
    assert facts.tokens == 20
    assert facts.norm == pytest.approx(float(torch.stack([gradient.norm() for gradient in wanted]).norm()))

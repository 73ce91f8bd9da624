from pathlib import Path

import pytest
import torch

from tests.support.training import made_steps

VALUES = {"loss": "two-way", "distil": "maxsim", "dropout": True}


@pytest.mark.parametrize("stopped", [1, 3])
def test_a_run_that_goes_on_ends_in_the_bits_of_one_that_was_not_stopped(
    tiny_encoder: Path, tmp_path: Path, stopped: int
) -> None:
    whole = made_steps.trainer(tiny_encoder, VALUES)
    for step in range(5):
        whole.step([made_steps.batch(step)])
        if whole.done == stopped:
            whole.save(tmp_path / "state.safetensors")
    again = made_steps.trainer(tiny_encoder, VALUES)
    again.load(tmp_path / "state.safetensors")
    assert again.done == stopped
    for step in range(stopped, 5):
        again.step([made_steps.batch(step)])
    for name, weights in whole.towers.named_parameters():
        assert torch.equal(weights, dict(again.towers.named_parameters())[name]), name


def test_a_step_says_what_it_was_and_lowers_the_loss(tiny_encoder: Path) -> None:
    trainer = made_steps.trainer(
        tiny_encoder, {"loss": "two-way", "distil": "maxsim", "lr": 1e-2, "steps": 20, "warmup": 1}
    )
    facts = [trainer.step([made_steps.batch()]) for _ in range(15)]
    assert facts[0].rate == 0
    assert facts[1].rate == pytest.approx(1e-2)
    assert {*facts[0].losses} == {"contrast", "distillation"}
    assert facts[0].norm > 0
    assert sum(facts[-1].losses.values()) < 0.7 * sum(facts[0].losses.values())


def test_batches_of_a_step_count_alike(tiny_encoder: Path) -> None:
    """The gradient of two is the mean of theirs, as MedCPT accumulates."""
    moved = []
    for batches in ([made_steps.batch(0)], [made_steps.batch(1)], [made_steps.batch(0), made_steps.batch(1)]):
        trainer = made_steps.trainer(tiny_encoder, {"loss": "two-way", "clip": 1e9})
        moved.append(trainer.step(batches))
    assert moved[2].losses["contrast"] == pytest.approx((moved[0].losses["contrast"] + moved[1].losses["contrast"]) / 2)


def test_the_pooler_that_no_vector_depends_on_stays_as_it_is(tiny_encoder: Path) -> None:
    trainer = made_steps.trainer(tiny_encoder, {"loss": "two-way"})
    before = {n: p.clone() for n, p in trainer.towers.named_parameters() if ".pooler." in n}
    for _ in range(2):
        trainer.step([made_steps.batch()])
    assert before
    assert all(torch.equal(p, dict(trainer.towers.named_parameters())[n]) for n, p in before.items())

"""One worker = two = three, to 1e-12 in float64; and one worker = the plain formula."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn.functional import log_softmax, normalize

from actors.train.peers import Alone
from tests.support.training import made_steps
from tests.support.training.made_steps import CASES, PAIRS, gradients, trained

ROOT = Path(__file__).parents[5]


@pytest.fixture(scope="module", params=[pytest.param(2, marks=pytest.mark.whole), 3])
def workers(
    request: pytest.FixtureRequest, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, int]:
    """Where so many workers wrote what they had."""
    out, size = tmp_path_factory.mktemp("workers"), request.param
    command = [sys.executable, "-m", made_steps.__name__, str(tiny_encoder), str(out), str(out / "meeting")]
    running = [subprocess.Popen([*command, str(rank), str(size)], cwd=ROOT) for rank in range(size)]
    assert [one.wait() for one in running] == [0] * size
    return out, size


@pytest.mark.parametrize("name", CASES)
def test_several_workers_have_the_gradient_of_one(tiny_encoder: Path, workers: tuple[Path, int], name: str) -> None:
    alone = gradients(tiny_encoder, CASES[name], Alone())
    for of_worker in made_steps.of_workers(workers[0], name, workers[1]):
        assert of_worker.keys() == alone.keys()
        for of, gradient in alone.items():
            assert torch.allclose(of_worker[of], gradient, rtol=1e-12, atol=1e-12), of


@pytest.mark.parametrize(
    "name",
    [
        "two-way",
        "one-way, unmasked",
        "distillation",
        "scores",
        "both, two towers, cached",
        "late",
        "late, two towers, cached",
    ],
)
def test_one_worker_has_the_gradient_of_the_plain_formula(tiny_encoder: Path, name: str) -> None:
    towers, teacher, config = trained(tiny_encoder, CASES[name])
    batch = made_steps.made_batch(scored=config.distil == "scores")

    def hidden(of: object, side: str) -> list[torch.Tensor]:
        model = getattr(of, "of")[side]  # noqa: B009
        return [model(torch.tensor(text.ids[None].astype(int))).last_hidden_state[0] for text in batch.texts[side]]  # type: ignore[index]

    def max_sims(of: object, query: int) -> torch.Tensor:
        tokens_q, tokens_a = ([normalize(h, dim=-1) for h in hidden(of, s)] for s in ("query", "article"))
        return torch.stack([(tokens_q[query] @ a.T).amax(1).mean() for a in tokens_a])

    queries, articles = (
        torch.stack([normalize(h.mean(0), dim=0) for h in hidden(towers, s)]) for s in ("query", "article")
    )
    weights = torch.from_numpy(batch.weights).double()
    share, targets = weights / weights.sum(), range(PAIRS)
    loss = torch.zeros((), dtype=torch.float64)
    same_query = [[i != j and batch.query_keys[i] == batch.query_keys[j] for j in range(PAIRS)] for i in targets]
    same_text = [[i != j and key == batch.text_keys[i] for j, key in enumerate(batch.text_keys)] for i in targets]
    masks = bool(config.masks)
    scores = queries @ articles.T / config.temperature
    for i in targets:
        row = [
            j for j in range(len(articles)) if not masks or not (same_text[i][j] or (j < PAIRS and same_query[i][j]))
        ]
        column = [j for j in targets if not masks or not (same_text[i][j] or same_query[i][j])]
        one_way = scores[i, row].logsumexp(0) - scores[i, i]
        back = scores[column, i].logsumexp(0) - scores[i, i]
        if config.loss != "none":
            loss = loss + share[i] * (one_way if config.loss == "one-way" else 0.8 * one_way + 0.2 * back)
        if config.late_weight:
            late = max_sims(towers, i)[row] / config.late_temperature
            loss = loss + config.late_weight * share[i] * (late.logsumexp(0) - late[row.index(i)])
        if teacher:
            wanted = log_softmax(max_sims(teacher, i)[row].detach() / config.teacher_temperature, 0)
            loss = loss + share[i] * (wanted.exp() * (wanted - log_softmax(scores[i, row], 0))).sum()
        if batch.taught is not None:
            wanted = log_softmax(torch.from_numpy(batch.taught[i]).double() / config.teacher_temperature, 0)
            loss = loss + share[i] * (wanted.exp() * (wanted - log_softmax(scores[i, [i, PAIRS + i]], 0))).sum()
    torch.autograd.backward(loss)
    found = gradients(tiny_encoder, CASES[name], Alone())
    assert found.pop("loss").item() == pytest.approx(loss.item(), abs=1e-6 if teacher else 1e-12)
    for of, parameter in towers.learnt().items():
        assert parameter.grad is not None, of
        assert torch.allclose(found[of], parameter.grad, rtol=1e-6, atol=1e-6 if teacher else 1e-12), of


def test_cached_gradients_are_those_that_are_not(tiny_encoder: Path) -> None:
    for name in ("two-way", "dropout"):
        kept, cached = (gradients(tiny_encoder, CASES[of], Alone()) for of in (name, f"{name}, cached"))
        for of, gradient in kept.items():
            assert torch.allclose(cached[of], gradient, rtol=1e-12, atol=1e-12), of


def test_dropout_changes_the_gradient(tiny_encoder: Path) -> None:
    without, with_it = (gradients(tiny_encoder, CASES[name], Alone()) for name in ("two-way", "dropout"))
    assert abs(without["loss"] - with_it["loss"]) > 1e-6


def test_what_is_computed_again_gives_the_gradient_of_what_is_kept(tiny_encoder: Path) -> None:
    kept, again = (gradients(tiny_encoder, CASES[name], Alone()) for name in ("two-way", "checkpointed"))
    for of, gradient in kept.items():
        assert torch.allclose(again[of], gradient, rtol=1e-12, atol=1e-12), of

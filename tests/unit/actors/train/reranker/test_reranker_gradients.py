"""One worker = two = three, in float64 to 1e-12; and one worker = the plain formula."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch.nn.functional import log_softmax

from actors.train.peers import Alone
from actors.train.reranker.reranker_gradients import RerankerGradients
from schemas.training import RerankerTrainConfig
from tests.support.training.made_queries import gradients, made, model

CASES: dict[str, dict[str, Any]] = {
    "listwise": {},
    "distillation": {"loss": "none", "distil": "scores", "teacher_temperature": 0.3},
    "both": {"distil": "scores", "distil_weight": 0.7, "teacher_temperature": 0.3},
    "dropout": {"dropout": True},
}


class Share(NamedTuple):
    """One of several workers, whose sum is made in the test."""

    rank: int
    size: int

    def add(self, *tensors: torch.Tensor) -> None:
        pass


@pytest.mark.parametrize("size", [2, 3, 7])
@pytest.mark.parametrize("name", CASES)
def test_several_workers_have_the_gradient_of_one(tiny_classifier: Path, name: str, size: int) -> None:
    alone = gradients(tiny_classifier, CASES[name], Alone())
    shares = [gradients(tiny_classifier, CASES[name], Share(rank, size)) for rank in range(size)]
    for of, gradient in alone.items():
        assert torch.allclose(sum(share[of] for share in shares), gradient, rtol=1e-12, atol=1e-12), of  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["listwise", "distillation", "both"])
def test_one_worker_has_the_gradient_of_the_plain_formula(tiny_classifier: Path, name: str) -> None:
    reranker, config = model(tiny_classifier, CASES[name])
    texts, weights, taught = made()
    share = torch.from_numpy(weights / weights.sum()).double()
    loss = torch.zeros((), dtype=torch.float64)
    for number, of_query in enumerate(texts):
        logits = torch.stack(
            [
                reranker.model(
                    input_ids=torch.tensor(text.ids[None].astype(int)),
                    token_type_ids=torch.tensor(text.segments[None].astype(int)),
                ).logits[0, 0]
                for text in of_query
            ]
        )
        if config.loss == "listwise":
            loss = loss - share[number] * log_softmax(logits, 0)[0]
        if config.distil == "scores":
            wanted = log_softmax(torch.from_numpy(taught[number]).double() / config.teacher_temperature, 0)
            divergence = (wanted.exp() * (wanted - log_softmax(logits, 0))).sum()
            loss = loss + config.distil_weight * share[number] * divergence
    torch.autograd.backward(loss)
    found = gradients(tiny_classifier, CASES[name], Alone())
    for of, parameter in reranker.learnt().items():
        assert parameter.grad is not None, of
        assert torch.allclose(found[of], parameter.grad, rtol=1e-6, atol=1e-9), of


def test_dropout_is_that_of_the_batch_and_off_where_a_model_is_judged(tiny_classifier: Path) -> None:
    without, with_it = (gradients(tiny_classifier, CASES[name], Alone()) for name in ("listwise", "dropout"))
    assert abs(without["loss of listwise"] - with_it["loss of listwise"]) > 1e-6
    plain, dropped = (model(tiny_classifier, CASES[name])[0] for name in ("listwise", "dropout"))
    texts, _, _ = made()
    scores = [RerankerGradients(of, Alone(), RerankerTrainConfig()).scores(texts) for of in (plain, dropped)]
    assert np.array_equal(np.stack(scores[0]), np.stack(scores[1]))

"""Losses beside the plain formulas, written out; in float64, to 1e-12."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import log_softmax, nll_loss

from retrieval.search.fusion import max_sim
from retrieval.train.losses import Scored, contrast, distillation, max_sims, repeated, softmax_losses

SEEDS = st.integers(0, 10_000)
SIZES = st.integers(1, 9)


def close(found: torch.Tensor, wanted: torch.Tensor) -> bool:
    return torch.allclose(found, wanted, rtol=1e-12, atol=1e-12)


def made(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@given(SEEDS, SIZES, st.integers(0, 5), st.floats(0, 1), st.floats(0.02, 2))
def test_the_contrast_is_medcpts(seed: int, pairs: int, negatives: int, alpha: float, temperature: float) -> None:
    queries, articles = made(seed, pairs, 6), made(seed + 1, pairs + negatives, 6)
    weights = made(seed + 2, pairs).abs() + 0.1
    targets = torch.arange(pairs)
    rows, columns = Scored(queries @ articles.T, targets), Scored(articles[:pairs] @ queries.T, targets)
    found = contrast(rows, columns, weights, alpha=alpha, temperature=temperature) / weights.sum()
    # MedCPT's retriever/main.py; mined negatives, which it has not, are further columns of the queries' side.
    scores = queries @ articles.T / temperature
    q2d = (nll_loss(log_softmax(scores, 1), targets, reduction="none") * weights).sum() / weights.sum()
    d2q = (nll_loss(log_softmax(scores[:, :pairs].T, 1), targets, reduction="none") * weights).sum() / weights.sum()
    assert close(found, alpha * q2d + (1 - alpha) * d2q)


@given(SEEDS, SIZES, st.data())
def test_what_is_masked_is_as_if_it_were_not_there(seed: int, rows: int, data: st.DataObject) -> None:
    scores, targets = (
        made(seed, rows, 8),
        torch.tensor(data.draw(st.lists(st.integers(0, 7), min_size=rows, max_size=rows))),
    )
    masked = torch.tensor(np.random.default_rng(seed).random((rows, 8)) < 0.4)
    masked[torch.arange(rows), targets] = False
    found = softmax_losses(Scored(scores, targets, masked), 0.5)
    for row in range(rows):
        kept = scores[row][~masked[row]] / 0.5
        assert close(found[row], kept.logsumexp(0) - scores[row, targets[row]] / 0.5)


@given(SEEDS, SIZES, st.integers(1, 9), st.floats(0.02, 2), st.floats(0.02, 2))
def test_distillation_is_the_divergence_of_the_two_softmaxes(
    seed: int, rows: int, columns: int, temperature: float, teacher_temperature: float
) -> None:
    student, teacher, weights = made(seed, rows, columns), made(seed + 1, rows, columns), made(seed + 2, rows).abs()
    found = distillation(student, teacher, weights, temperature=temperature, teacher_temperature=teacher_temperature)
    p, q = (teacher / teacher_temperature).softmax(1), (student / temperature).softmax(1)
    wanted = torch.nn.functional.kl_div(q.log(), p, reduction="none").sum(1)
    assert torch.allclose(found, (weights * wanted).sum(), rtol=1e-9, atol=1e-9)
    same = distillation(teacher, teacher, weights, temperature=temperature, teacher_temperature=temperature)
    assert same.abs() < 1e-9


@given(SEEDS, SIZES)
def test_what_is_masked_is_neither_wanted_nor_learnt(seed: int, rows: int) -> None:
    student, teacher, weights = made(seed, rows, 8), made(seed + 1, rows, 8), made(seed + 2, rows).abs()
    masked = torch.tensor(np.random.default_rng(seed).random((rows, 8)) < 0.5)
    masked[:, 0] = False
    student.requires_grad_()
    of = partial(distillation, temperature=0.5, teacher_temperature=0.2)
    found = of(student, teacher, weights, masked=masked)
    alone = [of(student[[i]][:, ~masked[i]], teacher[[i]][:, ~masked[i]], weights[[i]]) for i in range(rows)]
    assert close(found, torch.stack(alone).sum())
    [gradient] = torch.autograd.grad(found, student)
    assert gradient.isfinite().all()
    assert (gradient[masked] == 0).all()


@given(SEEDS, st.lists(st.integers(1, 5), min_size=1, max_size=4), st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_late_interaction_is_that_of_the_service(seed: int, query_tokens: list[int], article_tokens: list[int]) -> None:
    queries, articles = (
        [unit(made(seed + i, n, 4)) for i, n in enumerate(of)] for of in (query_tokens, article_tokens)
    )
    found = max_sims(*padded(queries), *padded(articles))
    wanted = [[max_sim(q.numpy(), a.numpy()) for a in articles] for q in queries]
    assert np.allclose(found.numpy(), wanted, rtol=0, atol=1e-12)


def unit(vectors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1)


def padded(texts: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token vectors and mask; what stands behind the padding is nobody's."""
    width = max(map(len, texts)) + 1
    mask = torch.tensor([[float(i < len(text)) for i in range(width)] for text in texts], dtype=torch.float64)
    rows = [torch.cat([text, torch.full((width - len(text), text.shape[1]), 9.0)]) for text in texts]
    return torch.stack(rows), mask


@pytest.mark.parametrize("targets", [[0, 1, 2], [2, 1, 0]])
def test_repeated_are_columns_of_the_same_key_but_for_the_target(targets: list[int]) -> None:
    keys = torch.tensor([7, 8, 7])
    columns = torch.tensor([7, 8, 7, 9]) if targets == [0, 1, 2] else torch.tensor([7, 8, 7, 7])
    found = repeated(keys, columns, torch.tensor(targets))
    for row in range(3):
        wanted = [bool(columns[c] == keys[row]) and c != targets[row] for c in range(4)]
        assert found[row].tolist() == wanted

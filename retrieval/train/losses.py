"""Losses of a retriever, on the vectors of a batch that may be spread over workers.

A worker computes the rows of its own queries against the articles of all, and the columns of its own articles. What it
returns are losses of its own pairs; added over workers they are those of one process, whatever the number of workers.

MedCPT: https://github.com/ncbi/MedCPT (retriever/main.py, BiEncoder loss). GradCache and the form of the gather:
arXiv 2101.06983. Distillation: listwise, softmax against softmax, as arXiv 2402.03216, section 3.
"""

from typing import NamedTuple

import torch
from torch.nn.functional import cross_entropy, log_softmax

# B = pairs of all workers, b = those of this one, C = articles of all: first the B positives, then hard negatives
# D = dimension, Q, T = tokens of a query and of an article


class Scored(NamedTuple):
    """What this worker's queries, or articles, are scored against."""

    scores: torch.Tensor
    """(b, C)"""
    targets: torch.Tensor
    """(b,): columns of the positives."""
    masked: torch.Tensor | None = None
    """(b, C): columns that are left out, as they may be right as well; never the targets."""


def softmax_losses(side: Scored, temperature: float) -> torch.Tensor:
    """Return −log of the softmax at the target of each row (b,)."""
    scores_bC = side.scores / temperature
    if side.masked is not None:
        scores_bC = scores_bC.masked_fill(side.masked, -torch.inf)
    return cross_entropy(scores_bC, side.targets, reduction="none")


def contrast(
    queries: Scored, articles: Scored | None, weights_b: torch.Tensor, *, alpha: float, temperature: float
) -> torch.Tensor:
    """Return this worker's sum of weighted losses; one side, or `alpha` of it and the rest of the other."""
    losses_b = softmax_losses(queries, temperature)
    if articles is not None:
        losses_b = alpha * losses_b + (1 - alpha) * softmax_losses(articles, temperature)
    return (weights_b * losses_b).sum()


def distillation(
    scores_bC: torch.Tensor,
    teacher_bC: torch.Tensor,
    weights_b: torch.Tensor,
    *,
    temperature: float,
    teacher_temperature: float,
    masked: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return this worker's weighted sum of KL(teacher's softmax ‖ student's softmax), row by row.

    masked: (b, C) columns that are left out, as in `Scored`.
    """
    masked_bC = torch.zeros_like(scores_bC, dtype=torch.bool) if masked is None else masked
    wanted_bC = log_softmax((teacher_bC / teacher_temperature).masked_fill(masked_bC, -torch.inf), 1)
    found_bC = log_softmax((scores_bC / temperature).masked_fill(masked_bC, -torch.inf), 1)
    difference_bC = (wanted_bC - found_bC).masked_fill(masked_bC, 0)
    return (weights_b * (wanted_bC.exp() * difference_bC).sum(1)).sum()


def max_sims(
    queries_bQD: torch.Tensor, query_mask_bQ: torch.Tensor, articles_CTD: torch.Tensor, article_mask_CT: torch.Tensor
) -> torch.Tensor:
    """Return late interaction (b, C): of each query token the best cosine with an article's tokens, on average.

    The token vectors are of length 1. Memory: b * Q * T numbers, an article at a time.
    """
    weights_bQ = query_mask_bQ / query_mask_bQ.sum(1, keepdim=True)
    columns = []
    for article_TD, mask_T in zip(articles_CTD, article_mask_CT, strict=True):
        best_bQ = (queries_bQD @ article_TD[mask_T.bool()].T).amax(2)
        columns.append((best_bQ * weights_bQ).sum(1))
    return torch.stack(columns, 1)


def repeated(keys_b: torch.Tensor, keys_C: torch.Tensor, targets_b: torch.Tensor) -> torch.Tensor:
    """Return which columns (b, C) have the same key as their row has, but for the target."""
    same_bC = keys_b[:, None] == keys_C[None]
    same_bC[torch.arange(len(keys_b)), targets_b] = False
    return same_bC

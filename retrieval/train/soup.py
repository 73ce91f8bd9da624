"""Weights between those of the start model and trained ones: they forget less than the trained ones.

Wortsman et al., Robust fine-tuning of zero-shot models, arXiv 2109.01903.
"""

from collections.abc import Mapping

import torch

SHARES = (0.25, 0.5, 0.75, 1.0)
"""Of trained weights, that are tried; of equally good ones the first."""


def soup(
    start: Mapping[str, torch.Tensor], trained: Mapping[str, torch.Tensor], share: float
) -> dict[str, torch.Tensor]:
    """Return `share` of the trained weights and the rest of the start model's, by name."""
    return {name: torch.lerp(start[name], weights, share) for name, weights in trained.items()}

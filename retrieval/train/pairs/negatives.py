"""What is kept of a ranking that was made for a query: articles near it, and negatives further down."""

from typing import NamedTuple

import numpy as np

from schemas.arrays import Floats, Mask, Pmids
from schemas.training import MineConfig


class Mined(NamedTuple):
    """Of one query."""

    near: Pmids
    """Best first."""
    negatives: Pmids
    """Drawn, in order of rank."""
    rank: int
    """Of the first positive, from 0; -1: it is not in the ranking."""
    looked_at: int
    """Articles among the ranks of negatives; 0 where none are drawn."""
    answers: int
    """Those of them that are positives, or of the text of one …"""
    too_near: int
    """… and those that are above the margin."""


class Ranking(NamedTuple):
    """Articles that were ranked for a query, best first."""

    pmids: Pmids
    firsts: Pmids
    """By which their texts are known (`EqualTexts.first`)."""
    scores: Floats
    barred: Mask
    """Those that are not to be negatives, whatever they answer: what is held out is not trained on."""


def mined(ranking: Ranking, positives: Pmids, rules: MineConfig, seed: int) -> Mined:
    """Draw negatives from a ranking.

    positives: all of the query, known as `firsts`.
    """
    pmids, firsts, scores, barred = ranking
    is_answer: Mask = np.isin(firsts, positives)
    ranks = np.flatnonzero(is_answer)
    looked_at = np.arange(len(pmids))[slice(*rules.ranks)] if rules.negatives else np.empty(0, np.int64)
    free = looked_at[~is_answer[looked_at]]
    near = np.zeros(len(pmids), bool)
    if rules.margin < 1 and len(scores) and (best := float(scores[ranks[0] if len(ranks) else 0])) > 0:
        near = scores > rules.margin * best
    fit = free[~near[free] & ~barred[free]]
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    drawn = np.sort(rng.choice(fit, min(rules.negatives, len(fit)), replace=False)) if len(fit) else fit
    return Mined(
        near=pmids[~is_answer][: rules.near],
        negatives=pmids[drawn],
        rank=int(ranks[0]) if len(ranks) else -1,
        looked_at=len(looked_at),
        answers=int(is_answer[looked_at].sum()),
        too_near=int(near[free].sum()),
    )

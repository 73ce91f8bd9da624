"""What is kept of a ranking that was made for a query: articles near it, and negatives further down."""

from typing import NamedTuple

import numpy as np

from schemas.arrays import Floats, Mask, Pmids


class Mined(NamedTuple):
    """Of one query."""

    near: Pmids
    """Best first."""
    negatives: Pmids
    """Drawn, in order of rank."""
    rank: int
    """Of the first positive, from 0; -1: it is not in the ranking."""
    answers: int
    """Articles among the ranks that were looked at for negatives that are positives, or of the text of one."""
    too_near: int
    """… and those above the margin."""


class MineRules(NamedTuple):
    """What negatives are."""

    ranks: tuple[int, int]
    """From the first of these ranks to before the second, from 0."""
    margin: float
    """Those whose score is above this share of the positive's are left out, as they may be answers too. 1: none is.
    MedCPT and BMRetriever have none; .95 is NV-Retriever's (arXiv 2407.15831)."""
    negatives: int
    near: int


def mined(
    pmids: Pmids, firsts: Pmids, scores: Floats, positives: Pmids, wanted: float | None, rules: MineRules, seed: int
) -> Mined:
    """Draw negatives from a ranking, best first.

    firsts: by which the articles' texts are known (`EqualTexts.first`). positives: all of the query, known likewise.
    wanted: the positive's score; None: it is not known, and the best score counts.
    """
    is_answer: Mask = np.isin(firsts, positives)
    ranks = np.flatnonzero(is_answer)
    if wanted is None and len(scores):
        wanted = float(scores[ranks[0]] if len(ranks) else scores[0])
    looked_at = slice(*rules.ranks)
    free = np.arange(len(pmids))[looked_at][~is_answer[looked_at]]
    fit = free
    if rules.margin < 1 and wanted is not None and wanted > 0:
        fit = free[scores[free] <= rules.margin * wanted]
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    drawn = np.sort(rng.choice(fit, min(rules.negatives, len(fit)), replace=False)) if len(fit) else fit
    return Mined(
        near=pmids[~is_answer][: rules.near],
        negatives=pmids[drawn],
        rank=int(ranks[0]) if len(ranks) else -1,
        answers=int(is_answer[looked_at].sum()),
        too_near=len(free) - len(fit),
    )

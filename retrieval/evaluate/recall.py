"""How often a search returns what an exact search over the same rows returns."""

from collections.abc import Sequence

import numpy as np

from schemas.arrays import Pmids


def recall(found: Sequence[Pmids], truth: Sequence[Pmids], k: int) -> float:
    """Return recall@k: the mean share of the k true PMIDs (or as many as there are) among the k first found."""
    shares = [np.isin(true[:k], got[:k]).mean() for got, true in zip(found, truth, strict=True)]
    return float(np.mean(shares))

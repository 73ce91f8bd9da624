"""How often a search returns what an exact search over the same rows returns."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.segment import OpenSegment
from retrieval.topk import Pmids, best_first, exact_search


def exact_pmids(queries: NDArray[np.float32], segments: Sequence[OpenSegment], k: int) -> Pmids:
    """Return the (q, k) PMIDs of the best rows over all segments by inner product; -1 where there are fewer."""
    found = [exact_search(queries, s.rows, s.pmids, k) for s in segments]
    scores, pmids = (np.concatenate(column, axis=1) for column in zip(*found, strict=True))
    order = np.stack([best_first(s, p, k) for s, p in zip(scores, pmids, strict=True)])
    return np.take_along_axis(pmids, order, axis=1)


def overlap(found: Sequence[Pmids], truth: Pmids, k: int) -> float:
    """Return recall@k: the mean share of the k true PMIDs (or as many as there are) among the k first found."""
    shares = []
    for got, wanted in zip(found, truth, strict=True):
        true = wanted[:k][wanted[:k] >= 0]
        shares.append(np.isin(true, got[:k]).mean())
    return float(np.mean(shares))

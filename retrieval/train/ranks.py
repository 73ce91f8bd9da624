"""How high the right article ranks among others: nDCG@10 where each query has one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.arrays import Floats, Mask

DEPTH = 10


def single_ndcg(queries: Floats, articles: Floats) -> NDArray[np.float64]:
    """Return nDCG@10 (n,) of each of (n, d) queries, which article of its own row of (n, d) alone answers.

    Articles of equal scores come before it: an encoder for which all are alike has nothing to gain.
    """
    return np.array([_ndcg(articles @ query, row) for row, query in enumerate(queries)], np.float64)


def pooled_ndcg(queries: Floats, answers: Floats, pool: Floats, others: Mask) -> NDArray[np.float64]:
    """Return nDCG@10 (n,) of each of (n, d) queries, which its row of (n, d) alone answers, among others of (m, d).

    others: (n, m), which of the pool stand against the answer. Those of equal scores come before it.
    """
    against = (np.vstack([answer, pool[of]]) for answer, of in zip(answers, others, strict=True))
    return first_ndcg([articles @ query for articles, query in zip(against, queries, strict=True)])


def first_ndcg(scores: Sequence[Floats]) -> NDArray[np.float64]:
    """Return nDCG@10 (n,) of n queries, of whose scored articles the first alone answers; of equal scores likewise."""
    return np.array([_ndcg(of, 0) for of in scores], np.float64)


def _ndcg(scores: Floats, answer: int) -> float:
    if not np.isfinite(scores[answer]):  # of a model that diverged
        return 0.0
    rank = int((scores >= scores[answer]).sum()) - 1
    return float(1 / np.log2(rank + 2)) if rank < DEPTH else 0.0

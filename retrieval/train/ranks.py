"""How high the right article ranks among others: nDCG@10 where each query has one."""

import numpy as np
from numpy.typing import NDArray

from schemas.arrays import Floats

DEPTH = 10


def single_ndcg(queries: Floats, articles: Floats) -> NDArray[np.float64]:
    """Return nDCG@10 (n,) of each of (n, d) queries, which article of its own row of (n, d) alone answers.

    Articles of equal scores come before it: an encoder for which all are alike has nothing to gain.
    """
    found = np.zeros(len(queries))
    for row, query in enumerate(queries):
        scores = articles @ query
        rank = int((scores >= scores[row]).sum()) - 1
        found[row] = 1 / np.log2(rank + 2) if rank < DEPTH else 0.0
    return found

"""Re-ranking arithmetic: late interaction, and fusing a second stage with the first."""

from collections.abc import Sequence

import numpy as np

from schemas.arrays import Floats


def max_sim(query: Floats, passage: Floats) -> float:
    """Return the mean over query tokens (q, d) of the best cosine with a passage token (p, d); both of length 1.

    Late interaction as in ColBERT (Khattab and Zaharia, SIGIR 2020), the sum divided by the number of query tokens
    so that queries of any length score alike.
    """
    return float((query @ passage.T).max(axis=1).mean())


def fuse(first: Sequence[float], second: Sequence[float]) -> Floats:
    """Return the sum of both stages' scores (n,), each as z-scores over the candidates."""
    return _z_scores(first) + _z_scores(second)


def _z_scores(scores: Sequence[float]) -> Floats:
    """Return (n,) scores less their mean in units of their deviation; zeros where they do not differ."""
    # In float32 the mean of equal scores is not always that score.
    values = np.asarray(scores, np.float64)
    deviation = values.std() if len(values) else 0
    z = (values - values.mean()) / deviation if deviation > 1e-9 else np.zeros_like(values)
    return z.astype(np.float32)

"""Do two sets of vectors of the same articles agree? What the sampled check of imported vectors computes."""

import numpy as np
from numpy.typing import NDArray

from schemas.report import Agreement

MIN_COSINE = 0.99
"""Other precisions and engines stay above it, other weights or another text do not."""


def agreement(known: NDArray[np.floating], encoded: NDArray[np.floating], min_cosine: float = MIN_COSINE) -> Agreement:
    """Compare vectors (n, d) with others of the same articles, n > 0. A zero vector agrees with none but another."""
    a, b = known.astype(np.float64), encoded.astype(np.float64)
    norms_a, norms_b = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    smallest = np.finfo(np.float64).tiny
    cosines = np.einsum("nd,nd->n", a, b) / np.maximum(norms_a * norms_b, smallest)
    cosines[(norms_a == 0) & (norms_b == 0)] = 1.0
    differences = np.abs(norms_a - norms_b) / np.maximum(norms_b, smallest)
    return Agreement(
        pairs=len(cosines),
        min_cosine=float(cosines.min()),
        median_cosine=float(np.median(cosines)),
        max_norm_difference=float(differences.max()),
        median_norm_difference=float(np.median(differences)),
        below=int((cosines < min_cosine).sum()),
    )

"""The centroid that is nearest to a vector: rough products of matrices say which may be it, exact ones which is."""

import numpy as np
import torch
from numpy.typing import NDArray

from schemas.arrays import Floats

PRODUCTS = 2**22
"""Rough products (float32) that are held at a time, 16 MB: more than these fall out of the processor's cache."""
ROWS = 1024
"""Vectors at a time, at most."""
PAIRS = 8192
"""Pairs of a vector and a centroid that are looked at exactly at a time; 50 MB at 768 dimensions."""


def fast_dtype() -> torch.dtype:
    """Return the number format in which this CPU multiplies matrices fastest."""
    return torch.bfloat16 if torch.cpu.get_capabilities().get("avx512_bf16") else torch.float32


class Centroids:
    """Centroids laid out for looking up the nearest one."""

    def __init__(self, centroids: Floats, *, is_l2: bool, dtype: torch.dtype | None = None) -> None:
        """Take centroids (k, d). `dtype` is that of the rough products; None: the fastest."""
        self._centroids, self._dtype = centroids, dtype or fast_dtype()
        self._rough = torch.from_numpy(centroids).T.contiguous().to(self._dtype)
        squares = np.einsum("kd,kd->k", centroids, centroids)
        self._halves = squares / 2 if is_l2 else np.zeros_like(squares)
        self._longest = float(np.sqrt(squares.max()))

    def nearest(self, vectors: Floats) -> NDArray[np.int64]:
        """Return the number of the centroid (n,) nearest to each of (n, d) vectors, or of the highest inner product.

        It is exact, whatever the rough products are made of: ties go to the lower number, and no vector's result
        depends on its neighbours.
        """
        found = np.empty(len(vectors), np.int64)
        size = max(1, min(ROWS, PRODUCTS // len(self._centroids)))
        for start in range(0, len(vectors), size):
            block = np.ascontiguousarray(vectors[start : start + size])
            rows, numbers = self._near(block)
            scores = self._scores(block, rows, numbers)
            # Best first within each row, which keeps its place; of equal ones the lower number stays first.
            order = np.lexsort((-scores, rows))
            found[start : start + size] = numbers[order[np.searchsorted(rows, np.arange(len(block)))]]
        return found

    def _near(self, block: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return pairs of a row and a centroid, ascending, among which is the nearest centroid of each row."""
        x = torch.from_numpy(block)
        rough = torch.sub(x.to(self._dtype) @ self._rough, torch.from_numpy(self._halves))
        # Both factors and the product are rounded, and the sum is.
        error = 3 * torch.finfo(self._dtype).eps / 2 + block.shape[1] * torch.finfo(torch.float32).eps
        slack = 2 * error * self._longest * torch.linalg.vector_norm(x, dim=1)
        rows, numbers = torch.nonzero(rough >= (rough.amax(dim=1) - slack)[:, None], as_tuple=True)
        return rows.numpy(), numbers.numpy()

    def _scores(self, block: Floats, rows: NDArray[np.int64], numbers: NDArray[np.int64]) -> Floats:
        """Return the exact inner product of each pair, less half of the centroid's square for L2."""
        scores = np.empty(len(rows), np.float32)
        for start in range(0, len(rows), PAIRS):
            part = slice(start, start + PAIRS)
            scores[part] = np.einsum("pd,pd->p", block[rows[part]], self._centroids[numbers[part]])
        scores -= self._halves[numbers]
        return scores

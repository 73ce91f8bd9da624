"""K-means (Lloyd's algorithm), the same code on a CPU and on a GPU.

Every float16 is a multiple of 2^-24, so sums of them in float64 are exact below 2^29: neither the order of additions
nor the number of threads changes a mean.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from retrieval.index.centroids.nearest_centroid import fast_dtype
from schemas.arrays import Rows

ITERATIONS = 10
"""FAISS's number for the centroids of an IVF index."""
BLOCK_ROWS = 8192
"""Rows that are float32 at a time, at most."""
PRODUCTS = {"cpu": 2**22, "cuda": 2**28}
"""Inner products (float32) that are held at a time: 16 MB, which a CPU's cache holds, and 1 GB on a GPU."""
SHIFT = 1 / 1024
"""How far the halves of a split cluster are moved apart, as a share of each coordinate (FAISS's)."""


def kmeans(
    rows: Rows, k: int, *, spherical: bool, seed: int, device: str, iterations: int = ITERATIONS
) -> NDArray[np.float32]:
    """Return k centroids (k, d) of the rows (n, d), n >= k: means, or with `spherical` means scaled to length 1.

    Rows belong to the nearest centroid, or with `spherical` to that of the highest inner product, by rough products
    where a CPU has them: the objective is the same within 1 % (docs/decisions/index.md). Memory beside the rows: 26
    bytes a coordinate of the centroids, the block and its products.
    """
    first = np.random.default_rng(seed).choice(len(rows), k, replace=False)
    centroids = torch.from_numpy(rows[first]).to(device).float()
    dtype = fast_dtype() if device == "cpu" else torch.float32
    for _ in range(iterations):
        centroids = _step(rows, _scaled(centroids) if spherical else centroids, dtype, spherical=spherical)
    if spherical:
        centroids = _scaled(centroids)
    result: NDArray[np.float32] = centroids.cpu().numpy()
    return result


def _step(rows: Rows, centroids: torch.Tensor, dtype: torch.dtype, *, spherical: bool) -> torch.Tensor:
    """Return the means of the rows that are nearest to each centroid, by products in a number format."""
    k, device = len(centroids), centroids.device
    sums = torch.zeros(centroids.shape, dtype=torch.float64, device=device)
    counts = torch.zeros(k, dtype=torch.int64, device=device)
    errors = torch.zeros(k, dtype=torch.float64, device=device)
    half_squares = torch.zeros(k, device=device) if spherical else (centroids**2).sum(1) / 2
    factors = centroids.T.contiguous().to(dtype)
    size = max(1, min(BLOCK_ROWS, PRODUCTS[device.type] // k))
    for start in range(0, len(rows), size):
        block = torch.from_numpy(rows[start : start + size]).to(device).float()
        best, nearest = torch.sub(block.to(dtype) @ factors, half_squares).max(1)
        squares = (block**2).sum(1)
        sums.index_add_(0, nearest, block.double())
        counts += torch.bincount(nearest, minlength=k)
        errors.index_add_(0, nearest, (squares.sqrt() - best if spherical else squares - 2 * best).double())
    means = sums.div_(counts.clamp(min=1)[:, None]).float()
    return _filled(torch.where(counts[:, None] > 0, means, centroids), counts, errors)


def _filled(centroids: torch.Tensor, counts: torch.Tensor, errors: torch.Tensor) -> torch.Tensor:
    """Give each empty cluster half of another one, those of the largest errors first.

    FAISS splits clusters of many rows. Equal rows, as title-only articles have, are many and cannot be split.
    """
    empty = torch.nonzero(counts == 0)[:, 0]
    errors = torch.where(counts > 1, errors, 0)
    split = torch.sort(errors, descending=True, stable=True).indices[: min(len(empty), int((errors > 0).sum()))]
    shift = torch.full_like(centroids[0], SHIFT)
    shift[1::2] *= -1
    centroids[empty[: len(split)]] = centroids[split] * (1 + shift)
    centroids[split] *= 1 - shift
    return centroids


def _scaled(centroids: torch.Tensor) -> torch.Tensor:
    """Return the centroids with length 1; zeros stay."""
    return torch.nn.functional.normalize(centroids)

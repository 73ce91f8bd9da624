"""Exact scores, and the one order of results: best first, ties by PMID."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from schemas.protocols import Vector

Rows = NDArray[np.float16]  # (rows, dimension)
Pmids = NDArray[np.int64]

BLOCK = 1024
"""Rows of a corpus per matrix product."""
EXACT_BLOCK = 65_536
"""Rows that an exact search holds in float32."""
COLUMN_BLOCK = 16
"""Columns of a matrix product are filled up to a multiple."""
QUERY_BLOCK = 8
"""Rows per product for queries, which come few at a time."""


class Weights(NamedTuple):
    """The right side (d, m) of a `blocked_matmul`, laid out once."""

    padded: torch.Tensor
    columns: int


def lay_out(w: NDArray[np.float32]) -> Weights:
    """Fill (d, m) up to a multiple of `COLUMN_BLOCK` columns.

    MKL multiplies 5 to 7 and 9 to 11 columns that are left over in another way for the last rows of a block than for
    the first.
    """
    padded = np.pad(w, ((0, 0), (0, -w.shape[1] % COLUMN_BLOCK)))
    return Weights(torch.from_numpy(np.ascontiguousarray(padded)), w.shape[1])


def blocked_matmul(x: NDArray[np.float32], w: Weights, block_rows: int) -> NDArray[np.float32]:
    """Return x @ w for x (n, d), w (d, m), so that no row's result depends on its neighbours.

    Workers see other batches than a single process would, and a product's last bits depend on its shape: here every
    product has the same shape, short blocks being filled up with zeros.
    """
    out = np.empty((len(x), w.columns), np.float32)
    block = torch.zeros(block_rows, x.shape[1])
    for start in range(0, len(x), block_rows):
        rows = x[start : start + block_rows]
        block[: len(rows)] = torch.from_numpy(np.ascontiguousarray(rows, np.float32))
        block[len(rows) :] = 0
        out[start : start + len(rows)] = (block @ w.padded)[: len(rows), : w.columns].numpy()
    return out


def inner_products(query: Vector, rows: Rows) -> NDArray[np.float32]:
    """Return the inner product (n,) of a query with each row, each the same bits in any company."""
    return np.einsum("rd,d->r", rows.astype(np.float32), query)


def best_first(scores: NDArray[np.float32], pmids: Pmids, k: int) -> NDArray[np.intp]:
    """Return the positions of the k highest scores, ties in order of PMID."""
    return np.lexsort((pmids, -scores))[:k]


def exact_search(
    queries: NDArray[np.float32], rows: Rows, pmids: Pmids, k: int, wanted: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the (q, k) best scores and row numbers of all rows, or those `wanted` (rows,), read once in blocks.

    Where there are fewer than k rows the rest are -inf and -1.
    """
    scores = np.full((len(queries), k), -np.inf, np.float32)
    best = np.full((len(queries), k), -1, np.int64)
    for start in range(0, len(rows), EXACT_BLOCK):
        numbers = np.arange(start, min(start + EXACT_BLOCK, len(rows)))
        if wanted is not None:
            numbers = numbers[wanted[numbers]]
        block = rows[numbers].astype(np.float32)
        for q, products in enumerate(queries @ block.T):
            all_scores = np.concatenate([scores[q], products])
            all_rows = np.concatenate([best[q], numbers])
            near = np.flatnonzero(all_scores >= np.partition(all_scores, -k)[-k])
            top = near[best_first(all_scores[near], pmids[all_rows[near]], k)]
            scores[q], best[q] = all_scores[top], all_rows[top]
    for q, query in enumerate(queries):
        # A product of many rows gives equal rows scores that differ in the last bits.
        found = best[q][best[q] >= 0]
        exact = inner_products(query, rows[found])
        order = best_first(exact, pmids[found], k)
        scores[q, : len(found)], best[q, : len(found)] = exact[order], found[order]
    return scores, best

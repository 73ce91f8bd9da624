"""Exact scores, and the one order of results: best first, ties by PMID."""

from typing import NamedTuple

import faiss
import numpy as np
import torch
from numpy.typing import NDArray

from schemas.arrays import Floats, Pmids, RowNumbers, Rows, StoredRowNumbers, Vector

BLOCK = 1024
"""Rows of a corpus per matrix product."""
EXACT_BLOCK = 65_536
"""Rows of which an exact search keeps the best, before it goes on."""
READ_BLOCK = 512
"""Rows that it holds in float32: few enough for the processor's cache."""
COLUMN_BLOCK = 16
"""Columns of a matrix product are filled up to a multiple."""


class Weights(NamedTuple):
    """The right side (d, m) of a `blocked_matmul`, laid out once."""

    padded: torch.Tensor
    columns: int


def lay_out(w: Floats) -> Weights:
    """Fill (d, m) up to a multiple of `COLUMN_BLOCK` columns.

    MKL multiplies 5 to 7 and 9 to 11 columns that are left over in another way for the last rows of a block than for
    the first.
    """
    padded = np.zeros((len(w), w.shape[1] + -w.shape[1] % COLUMN_BLOCK), np.float32)
    padded[:, : w.shape[1]] = w
    return Weights(torch.from_numpy(padded), w.shape[1])


def blocked_matmul(x: Floats, w: Weights, block_rows: int) -> Floats:
    """Return x @ w for x (n, d), w (d, m), so that no row's result depends on its neighbours.

    Workers see other batches than a single process would, and a product's last bits depend on its shape: here every
    product has the same shape, short blocks being filled up with zeros.
    """
    block = torch.empty(block_rows, x.shape[1])
    out = torch.empty(-(-len(x) // block_rows) * block_rows, w.padded.shape[1])
    for start in range(0, len(x), block_rows):
        rows = x[start : start + block_rows]
        block[: len(rows)] = torch.from_numpy(np.ascontiguousarray(rows))
        block[len(rows) :] = 0
        torch.mm(block, w.padded, out=out[start : start + block_rows])
    return out[: len(x), : w.columns].numpy()


def products(vector: Vector, matrix: Floats) -> Floats:
    """Return the inner product (n,) of a vector (d,) with each row of a matrix (n, d), both in one piece in memory.

    FAISS's loop: for a single vector NumPy is as fast but wakes its threads, torch takes two to three times as long.
    """
    out = np.empty(len(matrix), np.float32)
    faiss.fvec_inner_products_ny(
        faiss.swig_ptr(out), faiss.swig_ptr(vector), faiss.swig_ptr(matrix), len(vector), len(matrix)
    )
    return out


def inner_products(query: Vector, rows: Rows) -> Floats:
    """Return the inner product (n,) of a query with each row, each the same bits in any company."""
    return np.einsum("rd,d->r", widened(rows), query)


def widened(rows: Rows) -> Floats:
    """Return rows that are not mapped in float32; NumPy takes ten times as long for it."""
    return torch.from_numpy(np.ascontiguousarray(rows)).float().numpy()


def best_first(scores: Floats, pmids: Pmids, k: int) -> NDArray[np.intp]:
    """Return the positions of the k highest scores, ties in order of PMID."""
    order = np.argsort(-scores)
    ordered = scores[order]
    if (ordered[1:] == ordered[:-1]).any():
        order = np.lexsort((pmids, -scores))
    return order[:k]


def lowest(values: Floats, count: int) -> NDArray[np.intp]:
    """Return the positions of the `count` lowest of (n,) values, n >= count, ascending, ties in order of position."""
    near = np.flatnonzero(~(values > np.partition(values, count - 1)[count - 1]))
    return near[np.argsort(values[near], kind="stable")][:count]


def exact_search(
    queries: Floats, rows: Rows, pmids: Pmids, k: int, wanted: StoredRowNumbers | None = None
) -> tuple[Floats, RowNumbers]:
    """Return the (q, k) best scores and row numbers of all rows, or of those `wanted` (ascending numbers).

    They are read once, in blocks. Where there are fewer than k the rest are -inf and -1.
    """
    scores = np.full((len(queries), k), -np.inf, np.float32)
    best = np.full((len(queries), k), -1, np.int64)
    count = len(rows) if wanted is None else len(wanted)
    for start in range(0, count, EXACT_BLOCK):
        stop = min(start + EXACT_BLOCK, count)
        numbers = np.arange(start, stop) if wanted is None else wanted[start:stop].astype(np.int64)
        all_products, slack = _rough_products(queries, rows, numbers)
        for q, products in enumerate(all_products):
            floor = max(scores[q, -1], np.partition(products, -k)[-k] if len(products) > k else -np.inf)
            near = numbers[products >= floor - slack[q]]
            found = np.concatenate([best[q][best[q] >= 0], near])
            exact = np.concatenate([scores[q][best[q] >= 0], inner_products(queries[q], rows[near])])
            top = best_first(exact, pmids[found], k)
            scores[q, : len(top)], best[q, : len(top)] = exact[top], found[top]
    return scores, best


def _rough_products(queries: Floats, rows: Rows, numbers: RowNumbers) -> tuple[Floats, Floats]:
    """Return products (q, n) of queries and rows, and how far two products of a query (q,) may be in the wrong order.

    In a product of matrices a row's last bits depend on its neighbours: it says which rows may be the best, and
    `inner_products` which are.
    """
    products, longest = np.empty((len(queries), len(numbers)), np.float32), 0.0
    for start in range(0, len(numbers), READ_BLOCK):
        wide = widened(rows[numbers[start : start + READ_BLOCK]])
        products[:, start : start + READ_BLOCK] = queries @ wide.T
        longest = max(longest, float(torch.linalg.vector_norm(torch.from_numpy(wide), dim=1).max()))
    error = queries.shape[1] * np.finfo(np.float32).eps * longest * np.linalg.norm(queries, axis=1)
    return products, (2 * error).astype(np.float32)

"""The quantizer: rotation, centroids and code of a FAISS IVF index, shared by all segments.

Its file is the trained, empty index. Lists live in segments; a segment's lists are searched through a *shell*, an
index without centroids of its own, so that a hundred segments hold the centroids once. The centroid that is nearest to
a vector is found by rough products of matrices, which say which may be it, and exact ones, which say which is.
"""

from functools import cached_property
from typing import NamedTuple

import faiss
import numpy as np
import torch
from numpy.typing import NDArray

from retrieval.index.exact import BLOCK, blocked_matmul, lay_out, lowest, products
from schemas.arrays import Codes, Floats, Lists
from schemas.errors import UsageError

PRODUCTS = 2**22
"""Rough products (float32) that are held at a time, 16 MB: more than these fall out of the processor's cache."""
ROWS = 1024
"""Vectors at a time, at most."""
PAIRS = 8192
"""Pairs of a vector and a centroid that are looked at exactly at a time; 50 MB at 768 dimensions."""

GRAPH_REACH = 4
"""Centroids looked at for each list probed (efSearch)."""
GRAPH_LEAST = 256
"""Centroids looked at however few lists are probed; with 16 for 4 lists, one list in six is missed."""


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


class Probes(NamedTuple):
    """Where queries are searched; computed once, used by every segment."""

    rotated: Floats  # (q, d)
    lists: Lists  # (q, nprobe)
    distances: Floats  # (q, nprobe), by the index's metric


class Quantizer:
    """A loaded quantizer. All its methods can be called from several threads at once."""

    def __init__(self, content: bytes) -> None:
        """Load what `train_quantizer` returned."""
        self._index = faiss.deserialize_index(np.frombuffer(content, np.uint8))
        self._ivf = faiss.downcast_index(faiss.extract_index_ivf(self._index))
        self._coarse = faiss.downcast_index(self._ivf.quantizer)
        self._has_graph = isinstance(self._coarse, faiss.IndexHNSW)
        self.dimension: int = self._index.d
        self.nlist: int = self._ivf.nlist
        self.code_size: int = self._ivf.code_size
        self.is_l2: bool = self._ivf.metric_type == faiss.METRIC_L2
        self.prunes: bool = isinstance(self._ivf, faiss.IndexIVFRaBitQ) and self._ivf.rabitq.nb_bits > 1
        """FAISS leaves out rows that by their first bit are probably no better than the worst found so far.

        What that is depends on how the rows are spread over segments.
        """
        self._flat = faiss.downcast_index(self._coarse.storage) if self._has_graph else self._coarse
        matrices = [matrix_of(transform) for transform in transforms_of(self._index)]
        self._rotations = [lay_out(matrix) for matrix in matrices]
        self._transposed = [np.ascontiguousarray(matrix.T) for matrix in matrices]
        self._shell = self._serialized_shell()

    def rotate(self, vectors: Floats) -> Floats:
        """Return vectors (n, d) in the space of the lists."""
        for matrix in self._rotations:
            vectors = blocked_matmul(vectors, matrix, BLOCK)
        return vectors

    def assign(self, rotated: Floats) -> Lists:
        """Return for each of (n, d) rotated vectors the list it belongs to: exact, ties to the lower list."""
        return self._nearest.nearest(rotated)

    def encode(self, rotated: Floats, lists: Lists) -> Codes:
        """Return the codes (n, code_size) of rotated vectors in their lists."""
        codes = np.empty((len(rotated), self.code_size), np.uint8)
        rotated, lists = np.ascontiguousarray(rotated), np.ascontiguousarray(lists)
        self._ivf.encode_vectors(len(rotated), faiss.swig_ptr(rotated), faiss.swig_ptr(lists), faiss.swig_ptr(codes))
        return codes

    def probe(self, queries: Floats, nprobe: int) -> Probes:
        """Return where (q, d) queries are searched: the `nprobe` lists nearest to each, nearest first.

        With a graph nearly all of them; a list that it does not reach is -1.
        """
        rotated = self._rotated_queries(queries)
        reach = max(GRAPH_LEAST, GRAPH_REACH * nprobe)
        if self._has_graph and reach < self.nlist:
            found, lists = self._coarse.search(rotated, nprobe, params=faiss.SearchParametersHNSW(efSearch=reach))
            return Probes(rotated, lists, found)
        count = min(nprobe, self.nlist)
        lists, found = np.empty((len(queries), count), np.int64), np.empty((len(queries), count), np.float32)
        for q, query in enumerate(rotated):
            distances = self._to_centroids(query)
            lists[q] = lowest(distances if self.is_l2 else -distances, count)
            found[q] = distances[lists[q]]
        return Probes(rotated, lists, found)

    def shell(self, lists: faiss.InvertedLists, rows: int) -> faiss.IndexIVF:
        """Return an index over lists, which it owns; it borrows the centroids of this quantizer."""
        shell = faiss.deserialize_index(self._shell)
        shell.own_fields = False
        shell.quantizer = self._ivf.quantizer
        lists.this.own(False)
        shell.replace_invlists(lists, True)
        if isinstance(shell, faiss.IndexIVFPQ):
            shell.precompute_table()
        shell.ntotal = rows
        return shell

    def _rotated_queries(self, queries: Floats) -> Floats:
        """Return what `rotate` does but for the last bits: one by one, in a quarter of the time."""
        rotated = np.ascontiguousarray(queries, np.float32)
        for matrix in self._transposed:
            rotated = np.array([products(query, matrix) for query in rotated]).reshape(len(rotated), -1)
        return rotated

    def _to_centroids(self, rotated: Floats) -> Floats:
        """Return the distance (nlist,) of a rotated query (d,) from each centroid, by the index's metric."""
        distances = np.empty(self.nlist, np.float32)
        measure = faiss.fvec_L2sqr_ny if self.is_l2 else faiss.fvec_inner_products_ny
        measure(faiss.swig_ptr(distances), faiss.swig_ptr(rotated), self._flat.get_xb(), len(rotated), self.nlist)
        return distances

    @cached_property
    def _nearest(self) -> Centroids:
        return Centroids(self._coarse.reconstruct_n(0, self.nlist), is_l2=self.is_l2)

    def _serialized_shell(self) -> NDArray[np.uint8]:
        """Return the IVF index without its centroids: what a segment needs of it beside its lists."""
        empty = faiss.IndexFlat(self.dimension, self._ivf.metric_type)
        self._ivf.quantizer = empty
        try:
            return faiss.serialize_index(self._ivf)
        finally:
            self._ivf.quantizer = self._coarse


def transforms_of(index: faiss.Index) -> list[faiss.VectorTransform]:
    """Return what an index does to vectors before it looks for their lists."""
    if not isinstance(index, faiss.IndexPreTransform):
        return []
    return [faiss.downcast_VectorTransform(index.chain.at(i)) for i in range(index.chain.size())]


def matrix_of(transform: faiss.LinearTransform) -> Floats:
    """Return A^T (d_in, d_out) of a linear transform without bias, so that it can be applied to any batch alike.

    UsageError for another kind of transform.
    """
    if not isinstance(transform, faiss.LinearTransform) or transform.have_bias:
        raise UsageError(f"index.type: {type(transform).__name__} is not supported; use RR (a rotation) or none")
    return faiss.vector_to_array(transform.A).reshape(transform.d_out, transform.d_in).T.copy()

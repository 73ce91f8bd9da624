"""The quantizer: rotation, centroids and code of a FAISS IVF index, trained once and shared by all segments.

Its file is the trained, empty index. Lists live in segments; a segment's lists are searched through a *shell*, an
index without centroids of its own, so that a hundred segments hold the centroids once.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.topk import BLOCK, QUERY_BLOCK, blocked_matmul, lay_out
from schemas.errors import InputError, UsageError
from schemas.manifest import QuantizerRecord

Floats = NDArray[np.float32]
Lists = NDArray[np.int64]
Codes = NDArray[np.uint8]


class Probes(NamedTuple):
    """Where queries are searched; computed once, used by every segment."""

    rotated: Floats  # (q, d)
    lists: Lists  # (q, nprobe)
    distances: Floats  # (q, nprobe), by the index's metric


def nlist_for(rows: int) -> int:
    """Return the number of lists for a corpus: the power of two at or below rows / 128, between 1 and 65,536."""
    return 1 << min(16, max(0, (rows // 128).bit_length() - 1))


def nprobe_for(nlist: int) -> int:
    """Return how many lists a query scans: 16 * nlist^(1/4), so 64 of 256 and 256 of 65,536 (docs/decisions.md)."""
    return min(nlist, round(16 * nlist**0.25))


def metric_for(*, normalize: bool) -> str:
    """Return the first stage's metric.

    For vectors of length 1 both rank alike, and L2 leaves smaller residuals; raw inner products need their own.
    """
    return "l2" if normalize else "inner_product"


def train_quantizer(sample: Floats, factory: str, *, metric: str, seed: int) -> tuple[bytes, QuantizerRecord]:
    """Train on a sample (n, d) and return the file's content and how it came about.

    Raises:
        UsageError: FAISS does not know `factory`, or it is not an index type that can be built in parts.
        InputError: the sample is too small for it.
    """
    faiss_metric = faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT
    try:
        index = faiss.index_factory(sample.shape[1], factory, faiss_metric)
        ivf = faiss.downcast_index(faiss.extract_index_ivf(index))
    except RuntimeError as error:
        raise UsageError(
            f"index.type gives {factory!r}: {_reason(error)}; give an IVF type such as IVF{{nlist}},RaBitQ"
        ) from None
    if isinstance(ivf, faiss.IndexIVFFastScan):
        raise UsageError(f"index.type gives {factory!r}: fast-scan lists cannot be merged; leave out the 'fs'")
    if len(sample) < ivf.nlist:
        raise InputError(f"{len(sample)} vectors cannot train {ivf.nlist} lists; lower index.nlist")
    spherical = metric == "inner_product"
    ivf.cp.seed, ivf.cp.spherical, ivf.cp.min_points_per_centroid = seed + 1, spherical, 1
    try:
        index.train(np.ascontiguousarray(sample, np.float32))
    except RuntimeError as error:
        raise InputError(
            f"{len(sample)} vectors cannot train {factory!r}: {_reason(error)}; index more articles or set index.type"
        ) from None
    content = faiss.serialize_index(index).tobytes()
    return content, QuantizerRecord(
        sha256=hashlib.sha256(content).hexdigest(),
        factory=factory,
        metric=metric,
        spherical=spherical,
        seed=seed,
        trained_on=len(sample),
    )


def _reason(error: RuntimeError) -> str:
    """Return what FAISS says, without where in its source it says so."""
    return str(error).rpartition(": ")[2]


class Quantizer:
    """A loaded quantizer. All its methods can be called from several threads at once."""

    def __init__(self, content: bytes) -> None:
        """Load what `train_quantizer` returned."""
        self._index = faiss.deserialize_index(np.frombuffer(content, np.uint8))
        self._ivf = faiss.downcast_index(faiss.extract_index_ivf(self._index))
        self._coarse = faiss.downcast_index(self._ivf.quantizer)
        self.dimension: int = self._index.d
        self.nlist: int = self._ivf.nlist
        self.code_size: int = self._ivf.code_size
        self.is_l2: bool = self._ivf.metric_type == faiss.METRIC_L2
        self._rotations = [
            lay_out(_matrix(faiss.downcast_VectorTransform(self._index.chain.at(i))))
            for i in range(self._index.chain.size() if isinstance(self._index, faiss.IndexPreTransform) else 0)
        ]
        centroids: Floats = self._coarse.reconstruct_n(0, self.nlist)
        self._centroids = lay_out(centroids.T)
        self._squares = np.einsum("ld,ld->l", centroids, centroids)
        self._shell = self._serialized_shell()

    def rotate(self, vectors: Floats, block_rows: int = BLOCK) -> Floats:
        """Return vectors (n, d) in the space of the lists."""
        for matrix in self._rotations:
            vectors = blocked_matmul(vectors, matrix, block_rows)
        return vectors

    def assign(self, rotated: Floats) -> Lists:
        """Return for each of (n, d) rotated vectors the list it belongs to: exact, ties to the lower list."""
        return np.argmin(self._distances(rotated, BLOCK), axis=1).astype(np.int64)

    def encode(self, rotated: Floats, lists: Lists) -> Codes:
        """Return the codes (n, code_size) of rotated vectors in their lists."""
        codes = np.empty((len(rotated), self.code_size), np.uint8)
        rotated, lists = np.ascontiguousarray(rotated), np.ascontiguousarray(lists)
        self._ivf.encode_vectors(len(rotated), faiss.swig_ptr(rotated), faiss.swig_ptr(lists), faiss.swig_ptr(codes))
        return codes

    def probe(self, queries: Floats, nprobe: int) -> Probes:
        """Return where (q, d) queries are searched: the `nprobe` lists nearest to each."""
        rotated = self.rotate(queries, QUERY_BLOCK)
        distances = self._distances(rotated, QUERY_BLOCK)
        lists = np.argsort(distances, axis=1, kind="stable")[:, :nprobe].astype(np.int64)
        nearest = np.take_along_axis(distances, lists, axis=1)
        if self.is_l2:
            nearest += np.einsum("qd,qd->q", rotated, rotated)[:, None]
        return Probes(rotated, lists, nearest if self.is_l2 else -nearest)

    def open_lists(self, path: Path, rows: int) -> faiss.IndexIVF:
        """Map a lists file; the result borrows the centroids of this quantizer, which must outlive it."""
        reader = faiss.FileIOReader(str(path))
        lists = faiss.read_InvertedLists(reader, faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
        shell = faiss.deserialize_index(self._shell)
        shell.own_fields = False
        shell.quantizer = self._ivf.quantizer
        lists.this.own(False)
        shell.replace_invlists(lists, True)
        if isinstance(shell, faiss.IndexIVFPQ):
            shell.precompute_table()
        shell.ntotal = rows
        return shell

    def _distances(self, rotated: Floats, block_rows: int) -> Floats:
        """Return (n, nlist): squared L2 less the vector's own square, or the negative inner product."""
        products = blocked_matmul(rotated, self._centroids, block_rows)
        return self._squares - 2 * products if self.is_l2 else -products

    def _serialized_shell(self) -> NDArray[np.uint8]:
        """Return the IVF index without its centroids: what a segment needs of it beside its lists."""
        empty = faiss.IndexFlat(self.dimension, self._ivf.metric_type)
        self._ivf.quantizer = empty
        try:
            return faiss.serialize_index(self._ivf)
        finally:
            self._ivf.quantizer = self._coarse


def _matrix(transform: faiss.LinearTransform) -> Floats:
    """Return A^T (d_in, d_out) of a linear transform without bias, so that it can be applied to any batch alike."""
    if not isinstance(transform, faiss.LinearTransform) or transform.have_bias:
        raise UsageError(f"index.type: {type(transform).__name__} is not supported; use RR (a rotation) or none")
    return faiss.vector_to_array(transform.A).reshape(transform.d_out, transform.d_in).T.copy()

"""The quantizer: rotation, centroids and code of a FAISS IVF index, trained once and shared by all segments.

Its file is the trained, empty index. Lists live in segments; a segment's lists are searched through a *shell*, an
index without centroids of its own, so that a hundred segments hold the centroids once.
"""

import hashlib
from functools import cached_property
from typing import NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.index.exact import BLOCK, blocked_matmul, lay_out, lowest, products
from retrieval.index.kmeans import kmeans
from retrieval.index.nearest_centroid import Centroids
from schemas.arrays import Codes, Floats, Lists, Rows
from schemas.errors import InputError, UsageError
from schemas.manifest import QuantizerRecord

CODE_SAMPLE = 65_536
"""Vectors that codes are trained on at most: 256 for each of the 256 entries of a PQ codebook, as FAISS takes."""

GRAPH_LISTS = 8192
"""With so many lists queries find theirs by a graph over the centroids, in a third of the time.

docs/decisions/index.md has the figures."""
GRAPH_LINKS = 32
GRAPH_BREADTH = 40
"""efConstruction; 100 takes twice the time and finds no more."""
GRAPH_REACH = 4
"""Centroids looked at for each list probed (efSearch)."""
GRAPH_LEAST = 256
"""Centroids looked at however few lists are probed; with 16 for 4 lists, one list in six is missed."""


class Probes(NamedTuple):
    """Where queries are searched; computed once, used by every segment."""

    rotated: Floats  # (q, d)
    lists: Lists  # (q, nprobe)
    distances: Floats  # (q, nprobe), by the index's metric


def train_quantizer(
    sample: Rows, factory: str, *, metric: str, seed: int, device: str = "cpu"
) -> tuple[bytes, QuantizerRecord]:
    """Train on a sample (n, d) and return the file's content and how it came about.

    The centroids are found by k-means on a torch device and given to FAISS, which trains its codes alone. Memory beside
    the sample: the centroids (see `kmeans`) and 65,536 vectors in float32. The sample is left as it is; a transform
    to fewer dimensions makes a smaller copy.

    Raises:
        UsageError: FAISS does not know `factory`, or it is not an index type that can be built in parts.
        InputError: the sample is too small for it.
    """
    index, ivf = _untrained(sample.shape[1], factory, metric)
    if len(sample) < ivf.nlist:
        raise InputError(f"{len(sample)} vectors cannot train {ivf.nlist} lists; lower index.nlist")
    chosen = np.random.default_rng(seed).choice(len(sample), min(len(sample), CODE_SAMPLE), replace=False)
    few = sample[np.sort(chosen)].astype(np.float32)
    try:
        matrix = _trained_transform(index, few)
        centroids = _centroids(sample, matrix, ivf.nlist, spherical=metric != "l2", seed=seed, device=device)
        _train_codes(index, ivf, centroids, few)
    except RuntimeError as error:
        raise InputError(
            f"{len(sample)} vectors cannot train {factory!r}: {_reason(error)}; index more articles or set index.type"
        ) from None
    content = faiss.serialize_index(index).tobytes()
    return content, QuantizerRecord(
        sha256=hashlib.sha256(content).hexdigest(),
        factory=factory,
        metric=metric,
        spherical=metric != "l2",
        seed=seed,
        trained_on=len(sample),
    )


def _untrained(dimension: int, factory: str, metric: str) -> tuple[faiss.Index, faiss.IndexIVF]:
    """Return the index that a factory string names, and the IVF index in it.

    Raises:
        UsageError: it is not one that can be built in parts.
    """
    try:
        index = faiss.index_factory(
            dimension, factory, faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT
        )
        ivf = faiss.downcast_index(faiss.extract_index_ivf(index))
    except RuntimeError as error:
        raise UsageError(
            f"index.type gives {factory!r}: {_reason(error)}; give an IVF type such as IVF{{nlist}},RaBitQ"
        ) from None
    if isinstance(ivf, faiss.IndexIVFFastScan):
        raise UsageError(f"index.type gives {factory!r}: fast-scan lists cannot be merged; leave out the 'fs'")
    if not isinstance(faiss.downcast_index(ivf.quantizer), faiss.IndexFlat | faiss.IndexHNSW):
        raise UsageError(f"index.type gives {factory!r}: lists have one centroid each here; give IVF{{nlist}}")
    if not isinstance(index, faiss.IndexIVF | faiss.IndexPreTransform):
        raise UsageError(f"index.type gives {factory!r}: rows are scored exactly anyway; leave out the refinement")
    if isinstance(ivf, faiss.IndexIVFPQ):
        ivf.do_polysemous_training = False  # minutes, for a search that is not used
    return index, ivf


def _trained_transform(index: faiss.Index, vectors: Floats) -> Floats:
    """Train what is in front of the lists, and return all of it as one matrix (d, d_out)."""
    matrix: Floats = np.eye(index.d, dtype=np.float32)
    for transform in _transforms(index):
        step = vectors @ matrix
        if not transform.is_trained:
            transform.train(step)
        matrix = matrix @ _matrix(transform)
    return matrix


def _centroids(sample: Rows, matrix: Floats, k: int, *, spherical: bool, seed: int, device: str) -> Floats:
    """Return the centroids of sample @ matrix; those of a rotated sample are the rotated centroids of the sample."""
    if np.allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=1e-4):
        return kmeans(sample, k, spherical=spherical, seed=seed, device=device) @ matrix
    projected = np.empty((len(sample), matrix.shape[1]), np.float16)
    for start in range(0, len(sample), CODE_SAMPLE):
        projected[start : start + CODE_SAMPLE] = sample[start : start + CODE_SAMPLE].astype(np.float32) @ matrix
    return kmeans(projected, k, spherical=spherical, seed=seed, device=device)


def _train_codes(index: faiss.Index, ivf: faiss.IndexIVF, centroids: Floats, vectors: Floats) -> None:
    """Give an IVF index its centroids, and train what is left on vectors that it has not transformed yet."""
    flat = faiss.IndexFlat(ivf.d, ivf.metric_type)
    flat.add(centroids)
    graph = ivf.nlist >= GRAPH_LISTS or isinstance(faiss.downcast_index(ivf.quantizer), faiss.IndexHNSW)
    ivf.quantizer.this.own(True)  # freed here
    ivf.quantizer = flat
    index.train(vectors)
    coarse = _graph(centroids, ivf.metric_type) if graph else flat
    ivf.quantizer = coarse
    flat.this.own(coarse is not flat)
    coarse.this.own(False)  # freed with the index


def _graph(centroids: Floats, metric: int) -> faiss.IndexHNSWFlat:
    """Return the graph over centroids, made by one thread: FAISS promises no order of insertion with more."""
    graph = faiss.IndexHNSWFlat(centroids.shape[1], GRAPH_LINKS, metric)
    graph.hnsw.efConstruction = GRAPH_BREADTH
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        graph.add(centroids)
    finally:
        faiss.omp_set_num_threads(threads)
    return graph


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
        matrices = [_matrix(transform) for transform in _transforms(self._index)]
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
        """The centroids, laid out for assignments."""
        return Centroids(self._coarse.reconstruct_n(0, self.nlist), is_l2=self.is_l2)

    def _serialized_shell(self) -> NDArray[np.uint8]:
        """Return the IVF index without its centroids: what a segment needs of it beside its lists."""
        empty = faiss.IndexFlat(self.dimension, self._ivf.metric_type)
        self._ivf.quantizer = empty
        try:
            return faiss.serialize_index(self._ivf)
        finally:
            self._ivf.quantizer = self._coarse


def _transforms(index: faiss.Index) -> list[faiss.VectorTransform]:
    """Return what an index does to vectors before it looks for their lists."""
    if not isinstance(index, faiss.IndexPreTransform):
        return []
    return [faiss.downcast_VectorTransform(index.chain.at(i)) for i in range(index.chain.size())]


def _matrix(transform: faiss.LinearTransform) -> Floats:
    """Return A^T (d_in, d_out) of a linear transform without bias, so that it can be applied to any batch alike."""
    if not isinstance(transform, faiss.LinearTransform) or transform.have_bias:
        raise UsageError(f"index.type: {type(transform).__name__} is not supported; use RR (a rotation) or none")
    return faiss.vector_to_array(transform.A).reshape(transform.d_out, transform.d_in).T.copy()

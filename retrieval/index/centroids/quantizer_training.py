"""Training a quantizer: centroids by k-means, the graph over them, and FAISS's codes.

K-means is the same code on a CPU and on a GPU. Every float16 is a multiple of 2^-24, so sums of them in float64 are
exact below 2^29: neither the order of additions nor the number of threads changes a mean.
"""

import hashlib

import faiss
import numpy as np
import torch
from numpy.typing import NDArray

from retrieval.index.centroids.quantizer import fast_dtype, matrix_of, transforms_of
from schemas.arrays import Floats, Rows
from schemas.errors import InputError, UsageError
from schemas.manifest import QuantizerRecord

ITERATIONS = 10
"""FAISS's number for the centroids of an IVF index."""
BLOCK_ROWS = 8192
"""Rows that are float32 at a time, at most."""
PRODUCTS = {"cpu": 2**22, "cuda": 2**28}
"""Inner products (float32) that are held at a time: 16 MB, which a CPU's cache holds, and 1 GB on a GPU."""
SHIFT = 1 / 1024
"""How far the halves of a split cluster are moved apart, as a share of each coordinate (FAISS's)."""

CODE_SAMPLE = 65_536
"""Vectors that codes are trained on at most: 256 for each of the 256 entries of a PQ codebook, as FAISS takes."""
GRAPH_LISTS = 8192
"""With so many lists queries find theirs by a graph over them, in a third of the time (docs/decisions/index.md)."""
GRAPH_LINKS = 32
GRAPH_BREADTH = 40
"""efConstruction; 100 takes twice the time and finds no more."""


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
    return (_scaled(centroids) if spherical else centroids).cpu().numpy()


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
    """Return the index that a factory string names, and the IVF index in it."""
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
    for transform in transforms_of(index):
        step = vectors @ matrix
        if not transform.is_trained:
            transform.train(step)
        matrix = matrix @ matrix_of(transform)
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

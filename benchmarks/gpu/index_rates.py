"""K-means, assignment and exact search on a device, by torch and by FAISS; part of benchmarks/gpu."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import faiss
import numpy as np
import torch

from benchmarks.gpu.rows import Row, Size, wait_for
from retrieval.index.centroids.quantizer_training import kmeans

BLOCK, FOUND = 8192, 100
ITERATIONS = 2
LEAST_LOSS = 0.99


def checks(device: str, size: Size) -> Iterator[Row]:
    """Yield a row for each check."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((size.lists, size.dimension), np.float32)
    rows = np.empty((size.rows, size.dimension), np.float16)
    for start in range(0, size.rows, BLOCK):
        part = rows[start : start + BLOCK]
        part[:] = centres[rng.integers(0, size.lists, len(part))]
        part += rng.standard_normal(part.shape, np.float32).astype(np.float16)
    yield from clusters(device, rows, size)
    queries = rows[:: size.rows // size.queries][: size.queries].astype(np.float32)
    yield from beside_faiss("assignment", device, rows.astype(np.float32), centres, 1)
    yield from beside_faiss("exact search", device, queries, rows.astype(np.float32), FOUND)


def clusters(device: str, rows: np.ndarray[Any, Any], size: Size) -> Iterator[Row]:
    """Time k-means, and compare it with a CPU's on fewer rows."""
    sample = rows[: 64 * size.lists]
    start = time.perf_counter()
    kmeans(sample, size.lists, spherical=False, seed=0, device=device, iterations=ITERATIONS)
    seconds = time.perf_counter() - start
    yield Row("k-means", len(sample) * ITERATIONS / seconds, "rows/s a round")
    few = rows[:5000]
    x, losses = few.astype(np.float32), []
    for one in ("cpu", device):
        found = kmeans(few, 32, spherical=False, seed=0, device=one)
        losses.append(float(((x[:, None] - found[None]) ** 2).sum(axis=2).min(axis=1).sum()))
    yield Row("k-means beside a CPU's", losses[0] / losses[1], "loss, CPU / device", LEAST_LOSS)


def beside_faiss(
    name: str, device: str, queries: np.ndarray[Any, Any], rows: np.ndarray[Any, Any], k: int
) -> Iterator[Row]:
    """Time the k highest inner products of queries (q, d) with rows (n, d), by torch and by FAISS there."""
    there = torch.from_numpy(rows).to(device)

    def by_torch() -> None:
        for start in range(0, len(queries), BLOCK):
            block = torch.from_numpy(queries[start : start + BLOCK]).to(device)
            torch.topk(block @ there.T, k, dim=1)
        wait_for(device)

    ours = seconds_of(by_torch)
    yield Row(f"{name}, torch in float32", len(queries) / ours, "vectors/s")
    index: Any = faiss.IndexFlatIP(rows.shape[1])
    if device == "cuda":
        if not hasattr(faiss, "StandardGpuResources"):
            yield Row(f"{name}, FAISS", None, "", skipped="this FAISS has no GPU: faiss-gpu is not installed")
            return
        index = faiss.GpuIndexFlatIP(faiss.StandardGpuResources(), rows.shape[1])
    index.add(rows)
    theirs = seconds_of(lambda: index.search(queries, k))
    yield Row(f"{name}, torch / FAISS", theirs / ours, "times as fast")


def seconds_of(work: Callable[[], object]) -> float:
    """Return the seconds of the second time."""
    work()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start

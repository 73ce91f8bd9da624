"""Bare `faiss.add` with the quantizer of a store, one thread; run as a process, for the BLAS is chosen when it starts.

    OPENBLAS_CORETYPE=… python -m benchmarks.index.faiss_add QUANTIZER VECTORS.npy [exact]

prints its CPU seconds, imports and loading left out, as JSON. Where the quantizer has a graph over its centroids FAISS
assigns by it, and misses the nearest list of some rows; `exact` has it compare with every centroid, as pubray does.
"""

import json
import sys
import time

import faiss
import numpy as np

from jobs.common.console import say


def main() -> None:
    """Add all, a block at a time as FAISS likes it."""
    quantizer, vectors, *exact = sys.argv[1:]
    index = faiss.read_index(quantizer)
    ivf = faiss.extract_index_ivf(index)
    if exact and isinstance(graph := faiss.downcast_index(ivf.quantizer), faiss.IndexHNSW):
        ivf.quantizer, ivf.own_fields = graph.storage, False
    rows = np.load(vectors)
    faiss.omp_set_num_threads(1)
    index.add(rows[:1024])
    start, wall = time.process_time(), time.perf_counter()
    index.add(rows)
    seconds = {"cpu_seconds": time.process_time() - start, "seconds": time.perf_counter() - wall}
    say(json.dumps({"rows": len(rows), **seconds}))


if __name__ == "__main__":
    main()

"""Drawing a sample of the vectors in many files, one file in memory at a time."""

from collections.abc import Mapping

import numpy as np

from retrieval.embed.vector_parts import read_vectors
from schemas.arrays import Rows


def sample_vectors(counts: Mapping[str, int], size: int, seed: int, *, dimension: int) -> Rows:
    """Return about `size` vectors (n, d) of the vector parts at the paths of `counts`, or all if there are fewer.

    Each part gives in proportion to its count; the same arguments give the same sample. Memory: the sample, 2 bytes a
    coordinate, and one part.
    """
    rng = np.random.default_rng(seed)
    share = min(1.0, size / sum(counts.values()))
    taken = {path: min(count, round(count * share)) for path, count in counts.items()}
    sample = np.empty((sum(taken.values()), dimension), np.float16)
    start = 0
    for path, number in taken.items():
        _, vectors, present = read_vectors(path)
        rows = np.sort(rng.choice(counts[path], number, replace=False))
        sample[start : start + number] = vectors[np.flatnonzero(present)[rows]]
        start += number
    return sample

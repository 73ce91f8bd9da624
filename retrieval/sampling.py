"""Drawing a sample of the vectors in many files, one file in memory at a time."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from retrieval.parts import read_vectors


def sample_vectors(counts: Mapping[str, int], size: int, seed: int) -> NDArray[np.float32]:
    """Return about `size` vectors (n, d) of the vector parts at the paths of `counts`, or all if there are fewer.

    Each part gives in proportion to its count; the same arguments give the same sample.
    """
    rng = np.random.default_rng(seed)
    share = min(1.0, size / sum(counts.values()))
    taken = []
    for path, count in counts.items():
        _, vectors, present = read_vectors(path)
        chosen = rng.choice(count, min(count, round(count * share)), replace=False)
        taken.append(vectors[present][np.sort(chosen)].astype(np.float32))
    return np.concatenate(taken)

"""K-means on a CUDA device, against itself on the CPU."""

import numpy as np
import pytest
import torch

from retrieval.index.centroids.quantizer_training import kmeans
from tests.support.stores import corpus

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize("spherical", [False, True])
def test_a_gpu_finds_centroids_as_good_as_those_of_the_cpu_and_the_same_again(spherical: bool) -> None:
    rows = corpus.vectors(0, 5000)
    on_cpu, on_gpu, again = (kmeans(rows, 32, spherical=spherical, seed=0, device=d) for d in ("cpu", "cuda", "cuda"))
    x = rows.astype(np.float32)
    losses = [float(((x[:, None] - c[None]) ** 2).sum(axis=2).min(axis=1).sum()) for c in (on_cpu, on_gpu)]
    assert losses[1] == pytest.approx(losses[0], rel=0.01)
    assert on_gpu.tobytes() == again.tobytes()

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.index.centroids import nearest_centroid as nearest_module
from retrieval.index.centroids.nearest_centroid import Centroids, fast_dtype
from schemas.arrays import Floats
from tests.support.stores import corpus

DTYPES = [torch.bfloat16, torch.float32]


def scores(vectors: Floats, centroids: Floats, *, is_l2: bool) -> Floats:
    """Return what is highest for the nearest centroid, in float64."""
    c = centroids.astype(np.float64)
    return vectors.astype(np.float64) @ c.T - (np.square(c).sum(axis=1) / 2 if is_l2 else 0)


@pytest.mark.parametrize("is_l2", [True, False])
@settings(max_examples=60)
@given(st.data())
def test_no_centroid_is_nearer_however_rough_the_products(is_l2: bool, data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    dimension, k = data.draw(st.integers(1, 80)), data.draw(st.integers(1, 60))
    spread = 10.0 ** data.draw(st.integers(-4, 1))
    centre = rng.standard_normal(dimension) * data.draw(st.sampled_from([0, 1, 10]))
    centroids = (centre + spread * rng.standard_normal((k, dimension))).astype(np.float32)
    vectors = (centre + spread * rng.standard_normal((30, dimension))).astype(np.float32)
    exact = scores(vectors, centroids, is_l2=is_l2)
    longest = np.linalg.norm(centroids, axis=1).max()
    last_bits = dimension * np.finfo(np.float32).eps * longest * (longest + np.linalg.norm(vectors, axis=1))
    for dtype in DTYPES:
        found = Centroids(centroids, is_l2=is_l2, dtype=dtype).nearest(vectors)
        missed = exact.max(axis=1) - exact[np.arange(30), found]
        assert (missed <= 4 * last_bits).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_ties_go_to_the_lower_number(dtype: torch.dtype) -> None:
    centroids = np.repeat(corpus.vectors(0, 5).astype(np.float32), 4, axis=0)
    found = Centroids(centroids, is_l2=True, dtype=dtype).nearest(centroids)
    assert found.tolist() == np.repeat(np.arange(5) * 4, 4).tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_vector_has_the_same_centroid_in_any_company(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    centroids, vectors = (corpus.vectors(seed, 300).astype(np.float32) for seed in (0, 1))
    whole = Centroids(centroids, is_l2=True, dtype=dtype).nearest(vectors)
    monkeypatch.setattr(nearest_module, "PRODUCTS", 7 * 300)
    monkeypatch.setattr(nearest_module, "PAIRS", 5)
    parts = Centroids(centroids, is_l2=True, dtype=dtype)
    assert parts.nearest(vectors).tolist() == whole.tolist()
    assert [int(parts.nearest(vector[None])[0]) for vector in vectors] == whole.tolist()


def test_the_fast_format_is_bfloat16_only_where_the_processor_multiplies_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for has in (True, False):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: {"avx512_bf16": has})
        assert fast_dtype() == (torch.bfloat16 if has else torch.float32)

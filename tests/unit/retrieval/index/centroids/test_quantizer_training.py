import faiss
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from retrieval.index.centroids.quantizer_training import ITERATIONS, kmeans
from schemas.arrays import Rows
from tests.support.stores import corpus

ROWS = corpus.vectors(0, 3000)
RAW = corpus.vectors(0, 3000, normalize=False)


def centroids(rows: Rows, k: int, *, spherical: bool = False, seed: int = 0) -> NDArray[np.float32]:
    return kmeans(rows, k, spherical=spherical, seed=seed, device="cpu")


def objective(rows: Rows, found: NDArray[np.float32], *, spherical: bool) -> float:
    """Return what k-means minimises: the sum of squared distances, or the negative sum of inner products."""
    x = rows.astype(np.float64)
    if spherical:
        return -float((x @ found.T).max(axis=1).sum())
    return float(((x[:, None] - found[None]) ** 2).sum(axis=2).min(axis=1).sum())


def faiss_centroids(rows: Rows, k: int, *, spherical: bool, seed: int) -> NDArray[np.float32]:
    peer = faiss.Kmeans(rows.shape[1], k, niter=ITERATIONS, seed=seed + 1, spherical=spherical)
    peer.train(rows.astype(np.float32))
    found: NDArray[np.float32] = peer.centroids
    return found


@pytest.mark.parametrize("spherical", [False, True])
@pytest.mark.parametrize("rows", [ROWS, RAW], ids=["normalised", "raw"])
def test_the_objective_is_that_of_faiss(rows: Rows, spherical: bool) -> None:
    seeds = range(5)
    mine = [objective(rows, centroids(rows, 32, spherical=spherical, seed=s), spherical=spherical) for s in seeds]
    theirs = [
        objective(rows, faiss_centroids(rows, 32, spherical=spherical, seed=s), spherical=spherical) for s in seeds
    ]
    worse = (np.mean(mine) - np.mean(theirs)) / abs(np.mean(theirs))
    assert worse < 0.01


@pytest.mark.parametrize("spherical", [False, True])
def test_the_same_seed_gives_the_same_bits_with_any_number_of_threads(spherical: bool) -> None:
    threads = torch.get_num_threads()
    results = []
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            results.append(centroids(ROWS, 32, spherical=spherical).tobytes())
    finally:
        torch.set_num_threads(threads)
    assert len(set(results)) == 1
    assert centroids(ROWS, 32, spherical=spherical, seed=1).tobytes() != results[0]


def test_centroids_are_the_means_of_their_rows_and_spherical_ones_have_length_1() -> None:
    rows = np.concatenate([np.full((50, 4), 1), np.full((10, 4), 3), np.full((40, 4), -2)]).astype(np.float16)
    rows[:, 0] += np.arange(100) % 2
    found = centroids(rows, 3)
    assert sorted(found.tolist()) == [[-1.5, -2, -2, -2], [1.5, 1, 1, 1], [3.5, 3, 3, 3]]
    assert np.linalg.norm(centroids(RAW, 8, spherical=True), axis=1) == pytest.approx(np.ones(8), abs=1e-6)


@pytest.mark.parametrize("spherical", [False, True])
def test_in_the_end_each_centroid_is_the_mean_of_the_rows_nearest_to_it(spherical: bool) -> None:
    found = kmeans(RAW, 8, spherical=spherical, seed=0, device="cpu", iterations=200)
    x = RAW.astype(np.float32)
    nearest = (x @ found.T - (0 if spherical else (found**2).sum(axis=1) / 2)).argmax(axis=1)
    means = np.stack([x[nearest == number].mean(axis=0) for number in range(8)])
    assert found == pytest.approx(
        means / np.linalg.norm(means, axis=1, keepdims=True) if spherical else means, abs=0.02
    )  # a row between two centroids may be in either


def test_clusters_that_are_empty_at_first_get_rows() -> None:
    rows = ROWS.copy()
    rows[:2000] = rows[0]  # so that most of the first centroids are equal
    found = centroids(rows, 64)
    nearest = ((rows.astype(np.float32)[:, None] - found[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert np.bincount(nearest, minlength=64).min() > 0
    assert objective(rows, found, spherical=False) < 1.01 * objective(
        rows, faiss_centroids(rows, 64, spherical=False, seed=0), spherical=False
    )


def test_more_clusters_than_different_rows_leave_all_of_them_finite() -> None:
    rows = np.repeat(ROWS[:3], 20, axis=0)
    for spherical in (False, True):
        found = centroids(rows, 40, spherical=spherical)
        assert np.isfinite(found).all()
        assert objective(rows, found, spherical=False) < 1e-3


def test_rows_are_left_as_they_were() -> None:
    before = ROWS.tobytes()
    centroids(ROWS, 8, spherical=True)
    assert ROWS.tobytes() == before

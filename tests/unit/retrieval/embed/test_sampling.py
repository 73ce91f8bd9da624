from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.embed.sampling import sample_vectors
from retrieval.embed.vector_parts import write_vector_part


def write(folder: Path, sizes: list[int]) -> dict[str, int]:
    """Vector parts of 2 * size rows, of which every second has a vector, and it is (part, row)."""
    counts = {}
    for part, size in enumerate(sizes):
        rows = np.arange(2 * size)
        vectors = np.stack([np.full(2 * size, part), rows], axis=1).astype(np.float16)
        counts[str(folder / f"{part}.parquet")] = size
        write_vector_part(str(folder / f"{part}.parquet"), rows, rows.astype(np.uint64), vectors, rows % 2 == 1)
    return counts


@settings(max_examples=20)
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=5), size=st.integers(1, 200), seed=st.integers(0, 99))
def test_a_sample_has_each_part_in_proportion_and_no_vector_twice(
    sizes: list[int], size: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sample = sample_vectors(write(tmp_path_factory.mktemp("sample"), sizes), size, seed, dimension=2)
    assert sample.dtype == np.float16
    assert len(np.unique(sample, axis=0)) == len(sample)
    assert (sample[:, 1] % 2 == 1).all()  # only rows that have a vector
    share = min(1, size / sum(sizes))
    for part, count in enumerate(sizes):
        assert abs((sample[:, 0] == part).sum() - share * count) <= 0.5


def test_all_are_taken_where_there_are_fewer(tmp_path: Path) -> None:
    assert len(sample_vectors(write(tmp_path, [3, 5]), 1000, 0, dimension=2)) == 8


def test_the_same_arguments_give_the_same_sample_and_another_seed_another(tmp_path: Path) -> None:
    counts = write(tmp_path, [50, 50])
    first = sample_vectors(counts, 20, 0, dimension=2).tolist()
    assert first == sample_vectors(counts, 20, 0, dimension=2).tolist()
    assert first != sample_vectors(counts, 20, 1, dimension=2).tolist()

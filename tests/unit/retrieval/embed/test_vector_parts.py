from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.store.local_store import LocalStore
from retrieval.embed import vector_parts
from retrieval.embed.vector_parts import row_ranges, sample_vectors, write_vector_part
from schemas.errors import InputError, IntegrityError
from schemas.snapshot import PartRef
from tests.support.examples import examples
from tests.support.stores import corpus
from tests.support.stores.made_parts import ROWS
from tests.support.stores.parquet_files import count_at, vectors_at


@settings(max_examples=20)
@given(
    seed=st.integers(0, 1000),
    rows=st.integers(0, 40),
    dimension=st.integers(1, 9),
    share=st.sampled_from([0.0, 0.6, 1.0]),
    group=st.sampled_from([7, vector_parts.VECTOR_ROW_GROUP]),
)
def test_a_vector_part_comes_back_with_its_nulls(
    seed: int, rows: int, dimension: int, share: float, group: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("vectors") / "v.parquet"
    rng = np.random.default_rng(seed)
    pmids, hashes = rng.integers(0, 2**62, rows), rng.integers(0, 2**64, rows, np.uint64)
    vectors, wanted = rng.standard_normal((rows, dimension)).astype(np.float16), rng.random(rows) < share
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vector_parts, "VECTOR_ROW_GROUP", group)
        write_vector_part(path, pmids, hashes, vectors, wanted)
    found_pmids, found, present = vectors_at(path)
    assert found_pmids.tolist() == pmids.tolist()
    assert present.tolist() == wanted.tolist()
    assert np.array_equal(found[wanted], vectors[wanted])
    assert not found[~wanted].any()
    assert count_at(path) == wanted.sum()
    table = pq.read_table(path)
    assert table["text_hash"].to_pylist() == hashes.tolist()
    assert table["vector"].null_count == rows - wanted.sum()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_vector_beyond_float16_is_refused_with_its_pmid(value: float, tmp_path: Path) -> None:
    vectors = np.ones((3, 4), np.float16)
    vectors[2, 1] = value
    pmids, hashes, wanted = np.array([7, 8, 9]), np.zeros(3, np.uint64), np.ones(3, bool)
    with pytest.raises(InputError, match=r"^article 9: its vector is beyond float16; normalise, or use another model$"):
        write_vector_part(tmp_path / "v.parquet", pmids, hashes, vectors, wanted)
    assert list(tmp_path.iterdir()) == []
    wanted[2] = False
    write_vector_part(tmp_path / "v.parquet", pmids, hashes, vectors, wanted)
    assert count_at(tmp_path / "v.parquet") == 2


@examples(60, whole=150)
@given(where=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255), cut=st.booleans())
@example(where=0.8125, mask=4, cut=False)  # the number of rows in the footer
def test_a_broken_vector_part_is_refused_by_name_or_reads_the_same(
    where: float, mask: int, cut: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("broken") / "v.parquet"
    ids = np.arange(ROWS)
    vectors = corpus.vectors(0, ROWS)
    write_vector_part(path, ids, ids.astype(np.uint64), vectors, ids >= 0)
    content = bytearray(path.read_bytes())
    position = int(where * len(content))
    if cut:
        content = content[:position]
    else:
        content[position] ^= mask
    path.write_bytes(content)
    try:
        found = vectors_at(path)
    except IntegrityError as error:
        assert str(error).startswith(f"{path}: ")
        assert "\n" not in str(error)
    else:
        assert not cut
        assert found[0].tolist() == ids.tolist()
        assert np.array_equal(found[1], vectors)
        assert found[2].all()


def test_row_ranges_cover_every_part_once() -> None:
    parts = [PartRef("a", "", 5, 0), PartRef("none", "", 0, 0), PartRef("b", "", 4, 0)]
    ranges = [(r.source, r.start, r.stop) for r in row_ranges(parts, 2)]
    assert ranges == [("a", 0, 2), ("a", 2, 4), ("a", 4, 5), ("b", 0, 2), ("b", 2, 4)]


def test_ranges_of_another_size_are_other_files() -> None:
    small, large = ({r.name for r in row_ranges([PartRef("a", "", 8, 0)], size)} for size in (2, 4))
    assert {name.rpartition("-")[0] for name in small} == {"a-0-2", "a-2-4", "a-4-6", "a-6-8"}
    assert not small & large


def names(parts: list[PartRef]) -> list[str]:
    return [r.name for r in row_ranges(parts, 2)]


def test_ranges_behind_a_part_that_came_late_or_is_another_are_other_files() -> None:
    a, c, late, other = (
        PartRef(name, digest, 2, 0) for name, digest in [("a", "1"), ("c", "2"), ("b", "3"), ("a", "4")]
    )
    first, second = names([a, c])
    assert names([a, c, late])[:2] == [first, second]
    assert first in names([a, late, c])
    assert second not in names([a, late, c])
    assert not {first, second} & {*names([other, c])}


def write(folder: Path, sizes: list[int]) -> dict[str, int]:
    """Vector parts of 2 * size rows, of which every second has a vector, and it is (part, row)."""
    counts = {}
    for part, size in enumerate(sizes):
        rows = np.arange(2 * size)
        vectors = np.stack([np.full(2 * size, part), rows], axis=1).astype(np.float16)
        counts[f"{part}.parquet"] = size
        write_vector_part(folder / f"{part}.parquet", rows, rows.astype(np.uint64), vectors, rows % 2 == 1)
    return counts


@settings(max_examples=20)
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=5), size=st.integers(1, 200), seed=st.integers(0, 99))
def test_a_sample_has_each_part_in_proportion_and_no_vector_twice(
    sizes: list[int], size: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("sample")
    sample = sample_vectors(LocalStore(str(folder)), write(folder, sizes), size, seed, dimension=2)
    assert sample.dtype == np.float16
    assert len(np.unique(sample, axis=0)) == len(sample)
    assert (sample[:, 1] % 2 == 1).all()  # only rows that have a vector
    share = min(1, size / sum(sizes))
    for part, count in enumerate(sizes):
        assert abs((sample[:, 0] == part).sum() - share * count) <= 0.5


def test_all_are_taken_where_there_are_fewer(tmp_path: Path) -> None:
    assert len(sample_vectors(LocalStore(str(tmp_path)), write(tmp_path, [3, 5]), 1000, 0, dimension=2)) == 8


def test_the_same_arguments_give_the_same_sample_and_another_seed_another(tmp_path: Path) -> None:
    store, counts = LocalStore(str(tmp_path)), write(tmp_path, [50, 50])
    first = sample_vectors(store, counts, 20, 0, dimension=2).tolist()
    assert first == sample_vectors(store, counts, 20, 0, dimension=2).tolist()
    assert first != sample_vectors(store, counts, 20, 1, dimension=2).tolist()

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.articles import parts as parts_module
from retrieval.articles.article import Article, Rejects, article_batch
from retrieval.articles.parts import (
    count_vectors,
    read_article_part,
    read_range,
    read_vectors,
    row_ranges,
    write_article_part,
    write_vector_part,
)
from schemas.article import ARTICLE_SCHEMA
from schemas.errors import InputError, IntegrityError, StoreError
from schemas.snapshot import PartRef
from tests.support import corpus

ROWS = 50
GROUP = 16


def records(pmids: list[int]) -> pa.RecordBatch:
    """Article records, every fifth a deletion, every other without a DOI."""
    return article_batch(
        [Article(p, deleted=p % 5 == 0, title=f"Title {p}", doi=None if p % 2 else f"10.1/{p}") for p in pmids]
    )


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An article part of ROWS rows in groups of GROUP."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts_module, "ROW_GROUP", GROUP)
        path = str(tmp_path_factory.mktemp("parts") / "part.parquet")
        write_article_part(path, [records(list(range(ROWS)))], 1, Rejects())
        yield path


@pytest.fixture
def vector_part(tmp_path: Path) -> Path:
    path = tmp_path / "v.parquet"
    ids = np.arange(ROWS)
    write_vector_part(str(path), ids, ids.astype(np.uint64), corpus.vectors(0, ROWS), ids % 3 > 0)
    return path


def test_an_article_part_holds_the_records_and_says_so_in_its_footer(tmp_path: Path) -> None:
    batch = records([3, 5, 2])
    rejects = Rejects({"no PMID": 2}, {"no PMID": ["record 7", "record 9"]})
    written = write_article_part(str(tmp_path / "pubmed20n0014.parquet"), [batch], 123, rejects)
    assert (written.ref.name, written.ref.rows, written.ref.deletions) == ("pubmed20n0014", 3, 1)
    assert (written.source_bytes, written.rejects) == (123, rejects)
    assert read_article_part(tmp_path / "pubmed20n0014.parquet") == written
    found = read_range(str(tmp_path / "pubmed20n0014.parquet"), 0, 3, ARTICLE_SCHEMA.names)
    assert found.equals(pa.Table.from_batches([batch]))
    assert found["doi"].to_pylist() == [None, None, "10.1/2"]


def test_rejects_are_those_known_when_the_last_batch_was_read(tmp_path: Path) -> None:
    rejects = Rejects()

    def batches() -> Iterator[pa.RecordBatch]:
        yield records([1])
        rejects.add("no PMID", "record 2")

    write_article_part(str(tmp_path / "a.parquet"), batches(), 1, rejects)
    assert read_article_part(tmp_path / "a.parquet").rejects.counts == {"no PMID": 1}


def test_a_source_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield records([1])
        raise InputError("a.xml breaks off")

    with pytest.raises(InputError, match="breaks off"):
        write_article_part(str(tmp_path / "a.parquet"), batches(), 1, Rejects())
    assert list(tmp_path.iterdir()) == []


def test_a_source_without_records_makes_a_part(tmp_path: Path) -> None:
    written = write_article_part(str(tmp_path / "a.parquet"), [], 1, Rejects())
    assert (written.ref.rows, written.ref.deletions) == (0, 0)
    assert read_article_part(tmp_path / "a.parquet") == written
    assert len(read_range(str(tmp_path / "a.parquet"), 0, 0, ["pmid"])) == 0


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(0, ROWS), max_size=6).map(sorted))
def test_batches_of_any_size_make_the_same_part(
    cuts: list[int], part: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("batches") / "part.parquet"
    whole = records(list(range(ROWS)))
    edges = [0, *cuts, ROWS]
    batches = [whole.slice(a, b - a) for a, b in pairwise(edges)]
    written = write_article_part(str(path), batches, 1, Rejects())
    assert written == read_article_part(Path(part))
    metadata = pq.read_metadata(path)
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert sizes == [GROUP, GROUP, GROUP, ROWS - 3 * GROUP]
    assert read_range(str(path), 0, ROWS, ["pmid"])["pmid"].to_pylist() == list(range(ROWS))


@pytest.mark.parametrize("column", ["pmid", "deleted", "unusable", "record_hash"])
def test_the_digest_changes_with_a_record(column: str, tmp_path: Path) -> None:
    batch = records([1, 2])
    changed = {"pmid": [1, 4], "deleted": [True, False], "unusable": [False, True], "record_hash": [0, 9]}[column]
    position = batch.schema.get_field_index(column)
    other = batch.set_column(position, batch.schema.field(column), pa.array(changed, batch.schema.field(column).type))
    digests = {
        write_article_part(str(tmp_path / "a.parquet"), [b], 1, Rejects()).ref.digest for b in (batch, other, batch)
    }
    assert len(digests) == 2


@settings(max_examples=60)
@given(ends=st.tuples(st.integers(0, ROWS), st.integers(0, ROWS)).map(sorted))
def test_a_range_over_any_row_group_borders_is_its_rows(ends: list[int], part: str) -> None:
    start, stop = ends
    table = read_range(part, start, stop, ["title", "pmid"])
    assert table["pmid"].to_pylist() == list(range(start, stop))
    assert table.column_names == ["title", "pmid"]


@settings(max_examples=20)
@given(
    seed=st.integers(0, 1000),
    rows=st.integers(0, 40),
    dimension=st.integers(1, 9),
    share=st.sampled_from([0.0, 0.6, 1.0]),
    group=st.sampled_from([7, parts_module.VECTOR_ROW_GROUP]),
)
def test_a_vector_part_comes_back_with_its_nulls(
    seed: int, rows: int, dimension: int, share: float, group: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = str(tmp_path_factory.mktemp("vectors") / "v.parquet")
    rng = np.random.default_rng(seed)
    pmids, hashes = rng.integers(0, 2**62, rows), rng.integers(0, 2**64, rows, np.uint64)
    vectors, wanted = rng.standard_normal((rows, dimension)).astype(np.float16), rng.random(rows) < share
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts_module, "VECTOR_ROW_GROUP", group)
        write_vector_part(path, pmids, hashes, vectors, wanted)
    found_pmids, found, present = read_vectors(path)
    assert found_pmids.tolist() == pmids.tolist()
    assert present.tolist() == wanted.tolist()
    assert np.array_equal(found[wanted], vectors[wanted])
    assert not found[~wanted].any()
    assert count_vectors(path) == wanted.sum()
    table = pq.read_table(path)
    assert table["text_hash"].to_pylist() == hashes.tolist()
    assert table["vector"].null_count == rows - wanted.sum()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_vector_beyond_float16_is_refused_with_its_pmid(value: float, tmp_path: Path) -> None:
    vectors = np.ones((3, 4), np.float16)
    vectors[2, 1] = value
    pmids, hashes, wanted = np.array([7, 8, 9]), np.zeros(3, np.uint64), np.ones(3, bool)
    with pytest.raises(InputError, match=r"^article 9: its vector is beyond float16; normalise, or use another model$"):
        write_vector_part(str(tmp_path / "v.parquet"), pmids, hashes, vectors, wanted)
    assert list(tmp_path.iterdir()) == []
    wanted[2] = False
    write_vector_part(str(tmp_path / "v.parquet"), pmids, hashes, vectors, wanted)
    assert count_vectors(str(tmp_path / "v.parquet")) == 2


@settings(max_examples=150)
@given(where=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255), cut=st.booleans())
def test_a_broken_vector_part_is_refused_by_name_or_reads_the_same(
    where: float, mask: int, cut: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("broken") / "v.parquet"
    ids = np.arange(ROWS)
    vectors = corpus.vectors(0, ROWS)
    write_vector_part(str(path), ids, ids.astype(np.uint64), vectors, ids >= 0)
    content = bytearray(path.read_bytes())
    position = int(where * len(content))
    if cut:
        content = content[:position]
    else:
        content[position] ^= mask
    path.write_bytes(content)
    try:
        found = read_vectors(str(path))
    except IntegrityError as error:
        assert str(error).startswith(f"{path}: ")
        assert "\n" not in str(error)
    else:
        assert not cut
        assert found[0].tolist() == ids.tolist()
        assert np.array_equal(found[1], vectors)
        assert found[2].all()


def test_truncated_parts_are_refused_by_name_whatever_is_read(part: str, vector_part: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(Path(part).read_bytes()[:-20])
    for read in (
        lambda: read_article_part(broken),
        lambda: count_vectors(str(broken)),
        lambda: read_range(str(broken), 0, 1, ["pmid"]),
    ):
        with pytest.raises(IntegrityError, match=rf"^{broken}: not whole Parquet \(.*\); remove it and run the job"):
            read()


def test_other_parquet_is_not_taken_for_a_part(part: str, vector_part: Path) -> None:
    with pytest.raises(IntegrityError, match=rf"^{vector_part}: not an article part of pubray; remove it"):
        read_article_part(vector_part)
    with pytest.raises(IntegrityError, match=rf"^{part}: not a vector part of pubray; remove it"):
        count_vectors(part)


def test_a_file_that_lacks_a_column_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    pq.write_table(pa.table({"pmie": [1]}), path)  # as a flipped bit makes it
    with pytest.raises(IntegrityError, match=f"{path}: "):
        read_range(str(path), 0, 1, ["pmid"])


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=rf"^{tmp_path}/a.parquet: no such file; run the job that writes it$"):
        read_article_part(tmp_path / "a.parquet")


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

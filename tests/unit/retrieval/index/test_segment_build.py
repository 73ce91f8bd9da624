"""Which rows a worker takes, and what it reads of them."""

import filecmp
import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.store.local_store import LocalStore
from retrieval.articles.pmids import list_id, population
from retrieval.embed.vector_parts import row_ranges, write_vector_part
from retrieval.files.checked import write_bytes
from retrieval.index import segment_build as build_module
from retrieval.index.segment import write_segment
from retrieval.index.segment_build import (
    Work,
    group_rows,
    group_work,
    merged_format,
    read_worker_rows,
    shard_of,
    wanted_population,
)
from retrieval.search.segment_search import search
from schemas.article import Article
from schemas.errors import IntegrityError, StoreError
from schemas.formats import FORMATS, NEWEST
from schemas.layout import ARTICLES, Layout
from schemas.vector import EmbedPlan, RowRange
from tests.support.stores import corpus
from tests.support.stores.parquet_files import range_at
from tests.support.stores.store_files import add_part, add_snapshot, config


def work(*vectors: int) -> list[Work]:
    return [
        Work(RowRange(source=str(i), start=0, stop=count, history=""), None, count) for i, count in enumerate(vectors)
    ]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9), st.integers(1, 20), st.integers(1, 4))
def test_groups_are_in_order_and_none_is_larger_than_it_must_be(counts: list[int], rows: int, workers: int) -> None:
    parts = work(*counts)
    groups = group_work(parts, rows, workers)
    assert [part for group in groups for part in group] == parts
    limit = min(rows, -(-sum(counts) // workers))
    assert all(len(group) == 1 or sum(part.vectors for part in group) <= limit for group in groups)
    for group, after in itertools.pairwise(groups):
        assert sum(part.vectors for part in group) + after[0].vectors > limit


DIMENSION = 4
VECTORS = np.arange(24, dtype=np.float16).reshape(6, DIMENSION)


def source(
    folder: Path, *, without: int | None = None, selection: str = "abstract"
) -> tuple[EmbedPlan, list[RowRange]]:
    """A store of an article part of 6 rows, the last of them a deletion of the first, and one without an abstract."""
    store = LocalStore(str(folder))
    articles = [Article(pmid, title=f"t{pmid}", abstract="" if pmid == 3 else "a") for pmid in range(1, 6)]
    snapshot = add_snapshot(store, [add_part(store, "a", *articles, Article(1, deleted=True))])
    ranges = row_ranges(snapshot.info.parts, 4)
    for one in ranges:
        rows = np.arange(one.start, one.stop)
        keys = range_at(store.path(Layout.article_part("a")), one.start, one.stop, ["pmid", "text_hash"])
        pmids, hashes = (keys[name].to_numpy() for name in keys.column_names)
        with store.incoming(Layout.vector_part("f", selection, one.name)) as path:
            write_vector_part(path, pmids, hashes, VECTORS[rows], rows + 1 != without)
    return EmbedPlan(snapshot.id, selection, "f"), ranges


def read(folder: Path, of: EmbedPlan, parts: list[Work]) -> tuple[list[int], list[list[float]], list[str]]:
    encoder = config(folder).encoder.model_copy(update={"dimension": DIMENSION})
    store = LocalStore(str(folder))
    pmids, rows, records = read_worker_rows(store, config(folder, encoder=encoder), of, parts)
    assert records["pmid"].to_pylist() == pmids.tolist()
    return pmids.tolist(), rows.tolist(), records["title"].to_pylist()


def test_live_and_selected_articles_are_read_with_their_vectors(tmp_path: Path) -> None:
    of, ranges = source(tmp_path)
    found = read(tmp_path, of, [Work(one, None, one.stop - one.start) for one in ranges])
    assert found == ([2, 4, 5], VECTORS[[1, 3, 4]].tolist(), ["t2", "t4", "t5"])


def test_of_named_rows_the_selected_are_read(tmp_path: Path) -> None:
    of, ranges = source(tmp_path)
    assert read(tmp_path, of, [Work(ranges[1], np.array([4], np.int32), 1)])[0] == [5]


def test_of_named_rows_the_listed_are_read(tmp_path: Path) -> None:
    listed = np.array([4, 5])
    of, ranges = source(tmp_path, selection=list_id(listed))
    write_bytes(LocalStore(str(tmp_path)), Layout.selection(of.selection), listed.tobytes())
    assert read(tmp_path, of, [Work(ranges[0], np.array([1, 3], np.int32), 2)])[0] == [4]


def test_vectors_of_other_records_are_refused_by_name(tmp_path: Path) -> None:
    of, ranges = source(tmp_path)
    other = LocalStore(str(tmp_path)).path(Layout.vector_part("f", "abstract", ranges[0].name))
    shutil.copy(LocalStore(str(tmp_path)).path(Layout.vector_part("f", "abstract", ranges[1].name)), other)
    with pytest.raises(IntegrityError, match=f"{ranges[0].name}.parquet: of other records than the article part"):
        read(tmp_path, of, [Work(ranges[0], None, 4)])


def test_an_article_part_that_was_made_again_in_another_order_is_refused_by_name(tmp_path: Path) -> None:
    of, ranges = source(tmp_path)
    store = LocalStore(str(tmp_path))
    add_part(store, "a", *(Article(pmid, title=f"t{pmid}", abstract="a") for pmid in (5, 4, 3, 2, 1, 6)))
    for find in (read, lambda folder, of, parts: wanted_population(store, config(folder), of, parts)):
        with pytest.raises(IntegrityError, match=f"a.parquet: not what snapshot {of.snapshot} was made of"):
            find(tmp_path, of, [Work(ranges[0], None, 4)])


def test_what_must_be_in_the_index_is_known_without_vectors(tmp_path: Path) -> None:
    of, ranges = source(tmp_path, without=2)
    store = LocalStore(str(tmp_path))
    found = wanted_population(store, config(tmp_path), of, [Work(one, None, 0) for one in ranges])
    assert found == population(np.array([2, 4, 5]))
    some = [Work(ranges[0], np.array([1, 2], np.int32), 2)]
    assert wanted_population(store, config(tmp_path), of, some) == population(np.array([2]))


def test_work_is_told_apart_by_its_exact_rows() -> None:
    one = RowRange(source="a", start=0, stop=4, history="h")
    rows = [None, np.array([1], np.int32), np.array([1, 2], np.int32)]
    works = [Work(r, some, 4) for r in (one, one.model_copy(update={"stop": 5})) for some in rows]
    assert len({str(work.identity()) for work in works}) == len(works)
    assert Work(one, np.array([1], np.int32), 9).identity() == works[1].identity()


def test_an_article_without_a_vector_is_refused(tmp_path: Path) -> None:
    of, ranges = source(tmp_path, without=2)
    with pytest.raises(StoreError, match=f"1 articles of {ranges[0].name} have no vector; remove the vector part"):
        read(tmp_path, of, [Work(ranges[0], None, 4)])


pytestmark = pytest.mark.usefixtures("few_lists_are_found_by_a_graph_too")


@pytest.mark.parametrize(("factory", "metric"), corpus.TYPES)
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(0, 300), min_size=1, max_size=4))
def test_merged_worker_shards_equal_one_process(
    factory: str, metric: str, seed: int, cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    rows = corpus.vectors(seed, 300, normalize=metric == "l2")
    rows[7] = rows[200]  # equal vectors meet in one list and are told apart by PMID alone
    pmids = np.random.default_rng(seed).permutation(10_000)[:300]
    quantizer = corpus.quantizer(factory, rows, metric)
    records = corpus.varied(pmids, seed)
    whole = corpus.build(folder / "whole", quantizer, rows, pmids, records)
    ends = [0, *sorted(cuts), 300]
    parts = [
        corpus.build(folder / f"part{i}", quantizer, rows[a:b], pmids[a:b], records[a:b])
        for i, (a, b) in enumerate(itertools.pairwise(ends))
    ]
    merged = corpus.merge(folder / "merged", quantizer, parts)
    for name in {*FORMATS[NEWEST].files} - {ARTICLES}:
        assert filecmp.cmp(folder / "whole" / name, folder / "merged" / name, shallow=False), name
    assert merged.articles.equals(whole.articles)
    ours, theirs = (
        search(corpus.queries(seed, 3), [s], quantizer, nprobe=4, candidates=20)[0] for s in (merged, whole)
    )
    assert [a.tolist() for a in ours] == [a.tolist() for a in theirs]


def test_merge_in_many_groups_equals_merge_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, pmids = corpus.vectors(1, 200), np.arange(200)
    quantizer = corpus.quantizer("IVF8,RaBitQ", rows)
    parts = [corpus.build(tmp_path / f"p{i}", quantizer, rows[i::3], pmids[i::3]) for i in range(3)]
    corpus.merge(tmp_path / "one", quantizer, parts)
    monkeypatch.setattr(build_module, "GROUP_ROWS", 30)
    corpus.merge(tmp_path / "many", quantizer, parts)
    for name in {*FORMATS[NEWEST].files} - {ARTICLES}:
        assert filecmp.cmp(tmp_path / "one" / name, tmp_path / "many" / name, shallow=False), name


def test_a_merge_has_the_lowest_format_of_its_parts(tmp_path: Path) -> None:
    rows, pmids = corpus.vectors(1, 60), np.arange(60)
    quantizer = corpus.quantizer("IVF8,RaBitQ", rows)
    old, new = (
        corpus.build(tmp_path / f"p{i}", quantizer, rows[i::2], pmids[i::2], format=format)
        for i, format in enumerate((1, 2))
    )
    merged = corpus.merge(tmp_path / "merged", quantizer, [new, old])
    whole = corpus.build(tmp_path / "whole", quantizer, rows, pmids, format=1)
    assert (merged.manifest.format, merged_format([new, new])) == (1, 2)
    for name in {*FORMATS[1].files} - {ARTICLES}:
        assert filecmp.cmp(tmp_path / "whole" / name, tmp_path / "merged" / name, shallow=False), name
    assert merged.articles.equals(whole.articles)


def test_dead_rows_are_left_out_of_a_merge(tmp_path: Path) -> None:
    rows, pmids = corpus.vectors(3, 200), np.random.default_rng(3).permutation(1000)[:200]
    quantizer = corpus.quantizer("IVF8,RaBitQ", rows)
    first, second = (corpus.build(tmp_path / f"p{i}", quantizer, rows[i::2], pmids[i::2]) for i in range(2))
    dead = np.arange(0, 100, 3)
    buried = corpus.opened(tmp_path / "p0", first.manifest, quantizer, dead)
    merged = corpus.merge(tmp_path / "merged", quantizer, [buried, second])
    live = ~np.isin(pmids, first.pmids[dead])
    alone = corpus.build(tmp_path / "alone", quantizer, rows[live], pmids[live])
    for name in {*FORMATS[NEWEST].files} - {ARTICLES}:
        assert filecmp.cmp(tmp_path / "merged" / name, tmp_path / "alone" / name, shallow=False), name
    assert merged.articles.equals(alone.articles)


def test_vectors_of_a_group_come_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, pmids = corpus.vectors(1, 40), np.arange(40)
    quantizer = corpus.quantizer("IVF8,RaBitQ", rows)
    monkeypatch.setattr(build_module, "BLOCK", 16)
    _, [group] = group_rows(quantizer, rows, pmids, corpus.articles(pmids))
    blocks = list(group.rows)
    assert [len(block) for block in blocks] == [16, 16, 8]
    assert np.array_equal(np.concatenate(blocks), rows[group.pmids])


def test_chosen_rows_are_grouped_as_if_there_were_no_others(tmp_path: Path) -> None:
    rows, pmids = corpus.vectors(1, 200), np.random.default_rng(1).permutation(200)
    quantizer = corpus.quantizer("IVF8,RaBitQ", rows)
    chosen = np.flatnonzero(shard_of(pmids, 2) == 1)
    alone = corpus.build(tmp_path / "alone", quantizer, rows[chosen], pmids[chosen])
    sizes, groups = group_rows(quantizer, rows, pmids, corpus.articles(pmids), chosen)
    manifest = write_segment(tmp_path / "s", groups, sizes, segment="alone", shard=0, quantizer=quantizer)
    assert manifest == alone.manifest


def test_shards_are_even_and_fixed() -> None:
    counts = np.bincount(shard_of(np.arange(100_000), 7), minlength=7)
    assert counts.min() > 0.97 * counts.max()
    assert shard_of(np.array([1, 2, 30_000_000]), 7).tolist() == [6, 1, 2]


def test_row_of_every_file_is_the_same_article(tmp_path: Path) -> None:
    rows, pmids = corpus.vectors(2, 100), np.random.default_rng(0).permutation(1000)[:100]
    segment = corpus.build(tmp_path / "s", corpus.quantizer("IVF4,Flat", rows), rows, pmids)
    position = {int(p): i for i, p in enumerate(pmids)}
    for row, pmid in enumerate(segment.pmids):
        assert np.array_equal(segment.rows[row], rows[position[int(pmid)]])
        assert segment.articles["title"][row].as_py() == f"Title {pmid}"
    assert np.array_equal(segment.pmids[segment.pmid_order], np.sort(pmids))
    assert (tmp_path / "s" / ARTICLES).exists()

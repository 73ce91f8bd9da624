"""Design invariant 2: merged worker shards = one process, bit for bit, for every index type offered."""

import filecmp
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.index import segment_build as build_module
from retrieval.index.segment import OpenSegment, write_segment
from retrieval.index.segment_build import group_rows, shard_of
from retrieval.search.segment_search import search
from schemas.layout import ARTICLES, SEGMENT_FILES
from tests.support.stores import corpus

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
    for name in {*SEGMENT_FILES} - {ARTICLES}:
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
    for name in {*SEGMENT_FILES} - {ARTICLES}:
        assert filecmp.cmp(tmp_path / "one" / name, tmp_path / "many" / name, shallow=False), name


def test_dead_rows_are_left_out_of_a_merge(tmp_path: Path) -> None:
    rows, pmids = corpus.vectors(3, 200), np.random.default_rng(3).permutation(1000)[:200]
    quantizer = corpus.quantizer("IVF8,RaBitQ", rows)
    first, second = (corpus.build(tmp_path / f"p{i}", quantizer, rows[i::2], pmids[i::2]) for i in range(2))
    dead = np.arange(0, 100, 3)
    buried = OpenSegment(str(tmp_path / "p0"), first.manifest, quantizer, dead)
    merged = corpus.merge(tmp_path / "merged", quantizer, [buried, second])
    live = ~np.isin(pmids, first.pmids[dead])
    alone = corpus.build(tmp_path / "alone", quantizer, rows[live], pmids[live])
    for name in {*SEGMENT_FILES} - {ARTICLES}:
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
    manifest = write_segment(str(tmp_path / "s"), groups, sizes, segment="alone", shard=0, quantizer=quantizer)
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

"""Design invariants 3 and 5: search over any partition of the rows into segments = search over the whole."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retrieval.build import shard_of
from retrieval.search import cut, search
from retrieval.snapshot import build_snapshot
from retrieval.topk import exact_search
from tests.unit.retrieval import corpus


@pytest.mark.parametrize(("factory", "metric"), [("RR16,IVF8,RaBitQ", "l2"), ("IVF8,RaBitQ", "inner_product")])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), pieces=st.integers(1, 5), candidates=st.integers(1, 60))
@example(seed=0, pieces=2, candidates=23)  # the cut falls among equals
def test_any_partition_answers_as_the_whole(
    factory: str,
    metric: str,
    seed: int,
    pieces: int,
    candidates: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("partition")
    rows = corpus.vectors(seed, 240, normalize=metric == "l2")
    rows[100:110] = rows[5]  # ties, at the cut too
    pmids = np.random.default_rng(seed).permutation(5_000)[:240]
    quantizer = corpus.quantizer(factory, rows, metric)
    queries = np.concatenate([corpus.queries(seed, 3), rows[5:6].astype(np.float32)])
    whole = corpus.build(folder / "whole", quantizer, rows, pmids)
    piece = shard_of(pmids, pieces)
    parts = [corpus.build(folder / str(i), quantizer, rows[piece == i], pmids[piece == i]) for i in range(pieces)]
    expected = search(queries, [whole], quantizer, nprobe=3, candidates=candidates)
    together = search(queries, parts, quantizer, nprobe=3, candidates=candidates)
    gathered = [
        cut(found, candidates)
        for found in zip(
            *(search(queries, [p], quantizer, nprobe=3, candidates=candidates) for p in parts), strict=True
        )
    ]
    for want, one, two in zip(expected, together, gathered, strict=True):
        for got in (one, two):
            assert got.pmids.tolist() == want.pmids.tolist()
            assert got.scores.tolist() == want.scores.tolist()
            assert got.distances.tolist() == want.distances.tolist()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_pmid_comes_at_most_once_best_first(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Design invariant 5, of one segment."""
    rows, pmids = corpus.vectors(seed, 100), np.arange(100, 200)
    quantizer = corpus.quantizer("IVF4,RaBitQ", rows)
    segment = corpus.build(tmp_path_factory.mktemp("once") / "s", quantizer, rows, pmids)
    for found in search(corpus.queries(seed, 4), [segment], quantizer, nprobe=4, candidates=200):
        assert sorted(found.pmids.tolist()) == pmids.tolist()  # all lists probed, all rows wanted
        assert np.all(np.diff(found.scores) <= 0)


def test_probing_every_list_with_exact_scores_is_exact_search(tmp_path: Path) -> None:
    rows, pmids = corpus.vectors(3, 500), np.arange(500)
    quantizer = corpus.quantizer("RR16,IVF8,RaBitQ", rows)
    segment = corpus.build(tmp_path / "s", quantizer, rows, pmids)
    queries = corpus.queries(4, 20)
    _, expected = exact_search(queries, rows, pmids, 10)
    for found, want in zip(search(queries, [segment], quantizer, nprobe=8, candidates=500), expected, strict=True):
        assert found.pmids[:10].tolist() == want.tolist()


def test_a_query_does_not_depend_on_its_batch(tmp_path: Path) -> None:
    rows, pmids = corpus.vectors(5, 300), np.arange(300)
    quantizer = corpus.quantizer("RR16,IVF8,RaBitQ", rows)
    segment = corpus.build(tmp_path / "s", quantizer, rows, pmids)
    queries = corpus.queries(6, 30)
    together = search(queries, [segment], quantizer, nprobe=4, candidates=20)
    alone = [search(queries[i : i + 1], [segment], quantizer, nprobe=4, candidates=20)[0] for i in range(30)]
    for a, b in zip(together, alone, strict=True):
        assert a.pmids.tolist() == b.pmids.tolist()
        assert a.scores.tolist() == b.scores.tolist()


record = st.tuples(st.integers(1, 12), st.integers(1, 3), st.booleans())  # PMID, version, deleted


@settings(max_examples=25, deadline=None)
@given(history=st.lists(st.lists(record, max_size=12), min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_of_any_history_only_the_last_record_of_a_live_pmid_is_found(
    history: list[list[tuple[int, int, bool]]], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Design invariant 5: from article parts through a snapshot and one segment per part to an answer."""
    parts = [part_table(rows, start=100 * number) for number, rows in enumerate(history)]
    snapshot = build_snapshot((str(number), part) for number, part in enumerate(parts))
    rows = corpus.vectors(seed, 100 * len(parts) + 32)
    quantizer = corpus.quantizer("IVF2,RaBitQ", rows)
    folder = tmp_path_factory.mktemp("history")
    segments = []
    for number in range(len(parts)):
        mine = snapshot.filter(pc.field("part") == number)
        vector_of = 100 * number + mine["row"].to_numpy()
        segments.append(corpus.build(folder / str(number), quantizer, rows[vector_of], mine["pmid"].to_numpy()))
    [found] = search(corpus.queries(seed, 1), segments, quantizer, nprobe=2, candidates=100)
    last = {}
    for number, part in enumerate(history):
        for row, (pmid, version, deleted) in sorted(enumerate(part), key=lambda item: deciding_order(part, item[0])):
            last[pmid] = None if deleted else (number, row, version)
    assert sorted(found.pmids.tolist()) == sorted(pmid for pmid, alive in last.items() if alive)
    for pmid, segment, row in zip(found.pmids.tolist(), found.segments.tolist(), found.rows.tolist(), strict=True):
        number, place, _ = last[pmid] or (-1, -1, -1)
        assert segment == number
        assert np.array_equal(segments[segment].rows[row], rows[100 * number + place])


def deciding_order(part: list[tuple[int, int, bool]], row: int) -> tuple[int, int, int]:
    """Within a file: what stands before a deletion of the PMID, then the deletion; of records the highest version."""
    pmid, version, deleted = part[row]
    deletions = sum(p == pmid and d for p, _, d in part[:row])
    return deletions, 1_000 if deleted else version, row


def part_table(rows: list[tuple[int, int, bool]], start: int) -> pa.Table:
    """The key columns of an article part."""
    hashes = pa.array(range(start, start + len(rows)), pa.uint64())
    return pa.table(
        {
            "pmid": pa.array([pmid for pmid, _, _ in rows], pa.int64()),
            "version": pa.array([version for _, version, _ in rows], pa.int32()),
            "deleted": pa.array([deleted for _, _, deleted in rows], pa.bool_()),
            "text_hash": hashes,
            "record_hash": hashes,
        }
    )

"""Design invariants 3 and 5: search over any partition of the rows into segments = search over the whole."""

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retrieval.index.exact import exact_search
from retrieval.index.segment import OpenSegment
from retrieval.index.segment_build import shard_of
from retrieval.rows.row_numbers import RowSet
from retrieval.search.segment_search import Stack, best_of_all, search, search_exactly, stack_small
from tests.support.examples import examples
from tests.support.stores import corpus
from tests.support.stores.article_histories import FILES, File, Histories, replayed

pytestmark = pytest.mark.usefixtures("few_lists_are_found_by_a_graph_too")


@pytest.mark.parametrize(("factory", "metric"), corpus.TYPES)
@settings(max_examples=6)
@given(
    seed=st.integers(0, 10_000),
    pieces=st.integers(1, 5),
    height=st.integers(1, 5),
    candidates=st.integers(1, 60),
    dead=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
)
@example(seed=0, pieces=3, height=2, candidates=23, dead=0.0)  # the cut falls among equals
@example(seed=0, pieces=3, height=3, candidates=23, dead=0.05)  # nothing is scanned before the stack
def test_a_stack_of_segments_answers_as_each_by_itself(
    factory: str,
    metric: str,
    seed: int,
    pieces: int,
    height: int,
    candidates: int,
    dead: float,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Design invariant 3."""
    folder = tmp_path_factory.mktemp("stack")
    rows = corpus.vectors(seed, 240, normalize=metric == "l2")
    rows[100:110] = rows[5]  # ties, at the cut too
    rng = np.random.default_rng(seed)
    pmids = rng.permutation(5_000)[:240]
    quantizer = corpus.quantizer(factory, rows, metric)
    piece = shard_of(pmids, pieces)
    parts = [corpus.build(folder / str(i), quantizer, rows[piece == i], pmids[piece == i]) for i in range(pieces)]
    wanted = [RowSet(rng.random(part.manifest.rows) >= dead) for part in parts]
    stack = Stack(parts[-min(height, pieces) :], quantizer)
    queries = np.concatenate([corpus.queries(seed, 3), rows[5:6].astype(np.float32)])
    rules = partial(search, segments=parts, quantizer=quantizer, nprobe=3, candidates=candidates, wanted=wanted)
    expected = rules(queries)
    together = rules(queries, stack=stack)
    alone = [rules(query[None], stack=stack)[0] for query in queries]
    for want, *got in zip(expected, together, alone, strict=True):
        for one in got:
            assert [column.tolist() for column in one] == [column.tolist() for column in want]


@pytest.fixture
def parts(tmp_path: Path) -> list[OpenSegment]:
    quantizer = corpus.quantizer("RR16,IVF8,RaBitQ", corpus.vectors(0, 400))
    sizes, first, found = (900, 0, 40, 60), 0, []
    for number, size in enumerate(sizes):
        pmids = np.arange(first, first + size)
        found.append(corpus.build(tmp_path / str(number), quantizer, corpus.vectors(number, size), pmids))
        first += size
    return found


def test_a_stack_finds_all_that_is_closer_than_the_limit_however_few_it_expects(parts: list[OpenSegment]) -> None:
    quantizer = parts[0]._quantizer
    stack = Stack(parts[1:], quantizer)
    everything = stack.joined(tuple(part.alive for part in parts[1:]))
    probes = quantizer.probe(corpus.queries(1, 6), 5)
    plain = [part.scanned.scan(probes, 100, part.alive) for part in parts[2:]]
    limits = np.linspace(0.3, 1.5, 6, dtype=np.float32)
    distances, rows = stack.scan_closer(probes, limits, 1, everything)
    for q, limit in enumerate(limits):
        expected = [
            (distance, row + start)
            for (of_part, found), start in zip(plain, (0, 40), strict=True)
            for distance, row in zip(of_part[q].tolist(), found[q].tolist(), strict=True)
            if row >= 0 and distance < limit
        ]
        got = [
            (distance, row) for distance, row in zip(distances[q].tolist(), rows[q].tolist(), strict=True) if row >= 0
        ]
        assert sorted(got) == sorted(expected)
    assert (rows[-1] >= 0).sum() > 10


def test_a_row_that_is_not_wanted_is_not_found(parts: list[OpenSegment]) -> None:
    quantizer = parts[0]._quantizer
    stack = Stack(parts[2:], quantizer)
    mask = np.arange(100) % 10 > 0
    probes = quantizer.probe(corpus.queries(1, 2), 8)
    _, rows = stack.scan_closer(probes, np.full(2, np.inf, np.float32), 200, RowSet(mask))
    for found in rows:
        assert sorted(found[found >= 0].tolist()) == np.flatnonzero(mask).tolist()


def test_only_small_segments_at_the_end_are_stacked_and_never_one(parts: list[OpenSegment]) -> None:
    quantizer = parts[0]._quantizer
    heights = [stack.height if (stack := stack_small(some, quantizer)) else 0 for some in (parts, parts[:2], parts[2:])]
    assert heights == [3, 0, 0]
    assert stack_small([parts[0], parts[3], parts[0], parts[2]], quantizer) is None
    assert stack_small([], quantizer) is None


@pytest.mark.parametrize("seed", range(3))
def test_a_row_that_an_estimate_puts_beyond_the_limit_is_found(seed: int, tmp_path: Path) -> None:
    rows = corpus.vectors(seed, 240, normalize=False)
    quantizer = corpus.quantizer("IVF16,RaBitQ4", rows, "inner_product")
    segment = corpus.build(tmp_path / "s", quantizer, rows, np.arange(240))
    stack, probes = Stack([segment], quantizer), quantizer.probe(corpus.queries(seed, 8), 8)
    distances, expected = segment.scanned.scan(probes, 240, segment.alive)
    for near in (3, 5, 10, 30):
        limits = distances[:, near].copy()
        away, found = stack.scan_closer(probes, limits, 240, segment.alive)
        for q, limit in enumerate(limits):
            assert sorted(found[q][(found[q] >= 0) & (away[q] < limit)]) == sorted(expected[q][:near])


@pytest.mark.parametrize(("factory", "metric"), corpus.TYPES)
@settings(max_examples=4)
@given(seed=st.integers(0, 10_000), pieces=st.integers(1, 5), candidates=st.integers(1, 60))
@example(seed=0, pieces=2, candidates=23)  # the cut falls among equals
@example(seed=11, pieces=3, candidates=5)  # FAISS prunes a row in the whole that it keeps in a part
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
        best_of_all(found, candidates)
        for found in zip(
            *(search(queries, [p], quantizer, nprobe=3, candidates=candidates) for p in parts), strict=True
        )
    ]
    for want, one, two in zip(expected, together, gathered, strict=True):
        for got in (one, two):
            assert got.pmids.tolist() == want.pmids.tolist()
            assert got.scores.tolist() == want.scores.tolist()
            assert got.distances.tolist() == want.distances.tolist()


@settings(max_examples=10)
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


@examples(8, whole=25)
@given(files=FILES.filter(bool), seed=st.integers(0, 1000))
def test_of_any_history_only_the_last_record_of_a_live_pmid_is_found(
    files: list[File], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Design invariant 5: from article parts through a snapshot and one segment per part to an answer."""
    folder = tmp_path_factory.mktemp("history")
    histories = Histories(folder)
    snapshot = pq.read_table(folder / histories.snapshot(histories.add_all(files)).key)
    rows = corpus.vectors(seed, 100 * len(files) + 32)
    quantizer = corpus.quantizer("IVF2,RaBitQ", rows)
    segments = []
    for number in range(len(files)):
        mine = snapshot.filter(pc.field("part") == number)
        vector_of = 100 * number + mine["row"].to_numpy()
        segments.append(corpus.build(folder / str(number), quantizer, rows[vector_of], mine["pmid"].to_numpy()))
    [found] = search(corpus.queries(seed, 1), segments, quantizer, nprobe=2, candidates=100)
    alive, _ = replayed({}, files)
    assert sorted(found.pmids.tolist()) == sorted(alive)
    for pmid, segment, row in zip(found.pmids.tolist(), found.segments.tolist(), found.rows.tolist(), strict=True):
        assert segment == alive[pmid].part
        assert np.array_equal(segments[segment].rows[row], rows[100 * alive[pmid].part + alive[pmid].row])


TYPES = [
    ("RR16,IVF8,RaBitQ", "l2"),
    ("IVF8,RaBitQ", "inner_product"),
    ("IVF4,Flat", "l2"),
    ("IVF4,SQ8", "inner_product"),
]


@pytest.mark.parametrize(("factory", "metric"), TYPES)
@examples(6, whole=15)
@given(seed=st.integers(0, 10_000), share=st.floats(0, 1), candidates=st.integers(1, 60), nprobe=st.integers(1, 4))
def test_a_dead_row_is_as_if_it_had_never_been(
    factory: str,
    metric: str,
    seed: int,
    share: float,
    candidates: int,
    nprobe: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Design invariant 1, of tombstones: searched beside them, exactly, and after they were dropped by a merge."""
    folder = tmp_path_factory.mktemp("dead")
    rows = corpus.vectors(seed, 160, normalize=metric == "l2")
    rows[100:110] = rows[5]  # ties, at the cut too
    pmids = np.random.default_rng(seed).permutation(5_000)[:160]
    quantizer = corpus.quantizer(factory, rows, metric)
    queries = np.concatenate([corpus.queries(seed, 3), rows[5:6].astype(np.float32)])
    whole = corpus.build(folder / "whole", quantizer, rows, pmids)
    gone = np.random.default_rng(seed + 1).random(160) < share
    [dead] = np.nonzero(np.isin(whole.pmids, pmids[gone]))
    buried = corpus.opened(folder / "whole", whole.manifest, quantizer, dead)
    without = corpus.build(folder / "without", quantizer, rows[~gone], pmids[~gone])
    dropped = corpus.merge(folder / "dropped", quantizer, [buried])
    rules = partial(search, quantizer=quantizer, nprobe=nprobe, candidates=candidates)
    expected = rules(queries, [without])
    exact = search_exactly(queries, [without], candidates)
    for segment in (buried, dropped):
        for want, got in zip(expected, rules(queries, [segment]), strict=True):
            assert got.pmids.tolist() == want.pmids.tolist()
            assert got.scores.tolist() == want.scores.tolist()
        for want, got in zip(exact, search_exactly(queries, [segment], candidates), strict=True):
            assert got.pmids.tolist() == want.pmids.tolist()
    assert dropped.manifest.files == without.manifest.files

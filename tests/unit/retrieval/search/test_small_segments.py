from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retrieval.index.segment import OpenSegment
from retrieval.index.segment_build import shard_of
from retrieval.rows.row_set import RowSet
from retrieval.search.segment_search import search
from retrieval.search.small_segments import Stack, stack_small
from tests.support.stores import corpus

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
    plain = [part.scan(probes, 100, part.alive) for part in parts[2:]]
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
    distances, expected = segment.scan(probes, 240, segment.alive)
    for near in (3, 5, 10, 30):
        limits = distances[:, near].copy()
        away, found = stack.scan_closer(probes, limits, 240, segment.alive)
        for q, limit in enumerate(limits):
            assert sorted(found[q][(found[q] >= 0) & (away[q] < limit)]) == sorted(expected[q][:near])

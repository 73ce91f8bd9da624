from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.train.batches import Batches, QueryBatches, chunks, hard_negatives, seed_of
from schemas.arrays import Pmids


@st.composite
def made(draw: st.DrawFn) -> tuple[Pmids, list[Pmids], int, int]:
    """PMIDs of pairs, some of them shared; what is near each; a batch, and the size of its groups."""
    count = draw(st.integers(8, 60))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    pmids = rng.integers(1, count, count)
    near = [rng.integers(1, count + 3, rng.integers(0, 6)) for _ in range(count)]
    return pmids, near, draw(st.sampled_from([4, 8])), draw(st.sampled_from([1, 2, 4]))


@given(made(), st.integers(0, 3))
def test_an_epoch_has_each_pair_at_most_once_and_leaves_out_less_than_a_batch(
    of: tuple[Pmids, list[Pmids], int, int], epoch: int
) -> None:
    pmids, near, size, neighbours = of
    batches = Batches(pmids, near, batch=size, neighbours=neighbours, seed=5)
    first = epoch * batches.per_epoch
    seen = Counter(pair for number in range(first, first + batches.per_epoch) for pair in batches(number).tolist())
    assert set(seen.values()) == {1}
    assert sum(seen.values()) == len(pmids) - len(pmids) % size


@given(made(), st.lists(st.integers(0, 40), min_size=1, max_size=6))
def test_a_batch_depends_on_its_number_alone(of: tuple[Pmids, list[Pmids], int, int], numbers: list[int]) -> None:
    pmids, near, size, neighbours = of
    of_one = Batches(pmids, near, batch=size, neighbours=neighbours, seed=5)
    for number in numbers:
        fresh = Batches(pmids, near, batch=size, neighbours=neighbours, seed=5)
        assert fresh(number).tolist() == of_one(number).tolist()


def test_the_groups_of_a_batch_are_of_pairs_that_are_near_each_other() -> None:
    # 8 families of 4 articles, each near the others of its family
    pmids = np.arange(32)
    near = [np.array([q for q in range(32) if q % 8 == p % 8 and q != p]) for p in range(32)]
    batches = Batches(pmids, near, batch=8, neighbours=4, seed=0)
    for number in range(batches.per_epoch):
        families = batches(number) % 8
        assert [len({*families[i : i + 4].tolist()}) for i in (0, 4)] == [1, 1]


def test_a_group_has_one_pair_of_an_article() -> None:
    # 8 families of 4 articles with 3 pairs each
    pmids = np.arange(96) // 3
    near = [np.array([q for q in range(32) if q % 8 == p % 8 and q != p]) for p in pmids]
    batches = Batches(pmids, near, batch=8, neighbours=4, seed=0)
    for number in range(batches.per_epoch):
        articles = pmids[batches(number)]
        assert [len({*articles[i : i + 4].tolist()}) for i in (0, 4)] == [4, 4]


def test_another_epoch_or_seed_mixes_otherwise() -> None:
    pmids, near = np.arange(64), [np.empty(0, np.int64)] * 64
    one, other = (Batches(pmids, near, batch=64, neighbours=1, seed=seed) for seed in (0, 1))
    assert len({tuple(one(0)), tuple(one(1)), tuple(other(0))}) == 3


def test_hard_negatives_are_drawn_anew_for_each_batch_from_those_of_the_pair() -> None:
    mined = [20, 5]
    drawn = hard_negatives(mined, 5, seed=0, number=0)
    assert drawn.shape == (2, 5)
    assert {*drawn[0].tolist()} < {*range(20)}
    assert sorted(drawn[1].tolist()) == [0, 1, 2, 3, 4]
    assert drawn.tolist() == hard_negatives(mined, 5, seed=0, number=0).tolist()
    assert drawn.tolist() != hard_negatives(mined, 5, seed=0, number=1).tolist()


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 7))
def test_chunks_hold_each_text_once_with_like_lengths_together(lengths: list[int], size: int) -> None:
    found = chunks(lengths, size)
    assert sorted(text for chunk in found for text in chunk.tolist()) == [*range(len(lengths))]
    assert [lengths[text] for chunk in found for text in chunk.tolist()] == sorted(lengths, reverse=True)
    assert all(len(chunk) == size for chunk in found[:-1])


@given(st.lists(st.integers(0, 9), min_size=30, max_size=60), st.integers(0, 20))
def test_a_query_is_in_a_batch_once_with_one_of_its_pairs(keys: list[int], number: int) -> None:
    queries, size = np.array([*keys, 10, 11, 12], np.uint64), 3
    batches = QueryBatches(queries, batch=size, seed=1)
    rows = batches(number).tolist()
    assert len({queries[row] for row in rows}) == size
    assert rows == QueryBatches(queries, batch=size, seed=1)(number).tolist()
    per_epoch = len({*queries}) // size
    epoch = [queries[row] for place in range(per_epoch) for row in batches(7 * per_epoch + place).tolist()]
    assert len({*epoch}) == len(epoch) == per_epoch * size


def test_each_of_a_querys_pairs_is_drawn_as_often() -> None:
    batches = QueryBatches(np.array([5, 3, 5, 5, 3], np.uint64), batch=2, seed=1)
    counts = Counter(row for number in range(3000) for row in batches(number).tolist())
    assert {row: round(counts[row] / 3000, 1) for row in range(5)} == {0: 0.3, 2: 0.3, 3: 0.3, 1: 0.5, 4: 0.5}


def test_a_seed_is_that_of_the_run_the_batch_and_the_chunk() -> None:
    assert len({seed_of(*of) for of in [(0, 1, 2), (0, 2, 1), (1, 1, 2), (0, 1, 3)]}) == 4

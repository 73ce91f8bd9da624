from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.train.batches import Batches, chunks, hard_negatives
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


def test_another_epoch_or_seed_mixes_otherwise() -> None:
    pmids, near = np.arange(64), [np.empty(0, np.int64)] * 64
    one, other = (Batches(pmids, near, batch=64, neighbours=1, seed=seed) for seed in (0, 1))
    assert len({tuple(one(0)), tuple(one(1)), tuple(other(0))}) == 3


def test_fewer_pairs_than_a_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="3 pairs are fewer than a batch of 4"):
        Batches(np.arange(3), [np.empty(0, np.int64)] * 3, batch=4, neighbours=1, seed=0)


def test_hard_negatives_are_drawn_anew_for_each_batch_from_those_of_the_pair() -> None:
    mined = [np.arange(10, 30), np.arange(50, 55)]
    drawn = hard_negatives(mined, 5, seed=0, number=0)
    assert drawn.shape == (2, 5)
    assert {*drawn[0].tolist()} < {*range(10, 30)}
    assert sorted(drawn[1].tolist()) == [50, 51, 52, 53, 54]
    assert drawn.tolist() == hard_negatives(mined, 5, seed=0, number=0).tolist()
    assert drawn.tolist() != hard_negatives(mined, 5, seed=0, number=1).tolist()


def test_too_few_mined_negatives_are_refused() -> None:
    with pytest.raises(ValueError, match="a pair has 2 mined negatives, fewer than the 3"):
        hard_negatives([np.arange(2)], 3, seed=0, number=0)


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 7))
def test_chunks_hold_each_text_once_with_like_lengths_together(lengths: list[int], size: int) -> None:
    found = chunks(lengths, size)
    assert sorted(text for chunk in found for text in chunk.tolist()) == [*range(len(lengths))]
    assert [lengths[text] for chunk in found for text in chunk.tolist()] == sorted(lengths, reverse=True)
    assert all(len(chunk) == size for chunk in found[:-1])

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.embed.known.known_vectors import MIN_COSINE, Known, KnownCounts, agreement
from schemas.report import Agreement


def test_counts_are_nothing_unless_they_are_given() -> None:
    known = Known(np.empty(0, np.intp), np.empty((0, 4), np.float16))
    assert known.counts == KnownCounts(verified=0, unverified=0, stale=0, missing=0)


def numbers(found: Agreement) -> tuple[float, ...]:
    return tuple(found.model_dump().values())


def test_equal_vectors_agree() -> None:
    vectors = np.random.default_rng(0).standard_normal((9, 16)).astype(np.float16)
    assert numbers(agreement(vectors, vectors)) == pytest.approx((9, 1, 1, 0, 0, 0))


def test_cosines_and_norms_are_told_apart() -> None:
    known = np.array([[2, 0], [0, 1], [1, 1], [-1, 0]])
    encoded = np.array([[1, 0], [0, 2], [1, 0], [1, 0]])
    found = agreement(known.astype(np.float16), encoded.astype(np.float32))
    cosines, norms = [1, 1, 0.5**0.5, -1], [1, 0.5, 2**0.5 - 1, 0]
    assert numbers(found) == pytest.approx((4, -1, np.median(cosines), 1, np.median(norms), 2))
    assert agreement(known, encoded, min_cosine=0.7).below == 1


@given(st.floats(0, 180))
def test_a_pair_is_below_when_its_angle_is_too_wide(degrees: float) -> None:
    angle = np.radians(degrees)
    below = agreement(np.array([[1.0, 0.0]]), np.array([[np.cos(angle), np.sin(angle)]])).below
    assert below == (np.cos(angle) < MIN_COSINE)


def test_rounding_to_float16_is_far_above_the_threshold() -> None:
    vectors = np.random.default_rng(1).standard_normal((100, 768)).astype(np.float32)
    assert agreement(vectors.astype(np.float16), vectors).min_cosine > 0.999999


def test_vectors_of_other_articles_are_below() -> None:
    rng = np.random.default_rng(2)
    assert agreement(rng.standard_normal((50, 768)), rng.standard_normal((50, 768))).below == 50


def test_a_zero_vector_agrees_with_another_only() -> None:
    zero, one = np.zeros((1, 3), np.float16), np.ones((1, 3), np.float16)
    assert numbers(agreement(zero, zero)) == (1, 1, 1, 0, 0, 0)
    assert numbers(agreement(zero, one))[1:] == (0, 0, 1, 1, 1)
    assert agreement(one, zero).below == 1


def test_large_float16_vectors_do_not_overflow() -> None:
    large = np.full((1, 768), 60_000, np.float16)
    assert agreement(large, large).min_cosine == pytest.approx(1)


def test_the_result_is_json() -> None:
    assert agreement(np.ones((1, 2)), np.ones((1, 2))).model_dump_json().startswith('{"pairs":1,')

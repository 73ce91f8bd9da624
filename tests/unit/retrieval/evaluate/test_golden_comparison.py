import numpy as np
import pytest

from retrieval.evaluate.golden_comparison import compare_ends, compare_numbers, compare_vectors
from schemas.golden import GoldenText

VECTOR = np.array([0.1, 0.2, 0.3, 9.0, 0.4, 0.5, 0.6], np.float32)
GOLDEN = GoldenText(first=(0.1, 0.2, 0.3), last=(0.4, 0.5, 0.6))


def test_numbers_pass_up_to_the_tolerance() -> None:
    assert compare_numbers("x", (1.0, 2.0), [1.0, 2.25], 0.25).passed
    check = compare_numbers("x", (1.0, 2.0), [1.0, 1.5], 0.25)
    assert (check.passed, check.difference, check.got) == (False, 0.5, (1.0, 1.5))


def test_a_number_that_is_none_does_not_pass() -> None:
    assert not compare_numbers("x", (1.0, 2.0), [1.0, float("nan")], 0.25).passed


def test_the_ends_of_a_vector_are_compared_and_its_middle_is_not() -> None:
    check = compare_ends("query 1", GOLDEN, VECTOR, 1e-6)
    assert check.passed
    assert check.got == pytest.approx((0.1, 0.2, 0.3, 0.4, 0.5, 0.6))


@pytest.mark.parametrize("position", [0, 2, -3, -1])
def test_each_number_of_the_ends_counts(position: int) -> None:
    changed = VECTOR.copy()
    changed[position] += 0.01
    assert not compare_ends("query 1", GOLDEN, changed, 0.005).passed


@pytest.mark.parametrize("position", range(7))
def test_of_whole_vectors_every_number_counts_as_a_share_of_the_largest(position: int) -> None:
    changed = VECTOR.copy()
    changed[position] -= 0.09
    check = compare_vectors("article 1", VECTOR, changed, 0.011)
    assert check.difference == pytest.approx(0.01, rel=1e-4)
    assert check.passed
    assert not compare_vectors("article 1", VECTOR, changed, 0.009).passed


def test_of_whole_vectors_the_ends_are_shown() -> None:
    assert compare_vectors("article 1", VECTOR, VECTOR, 0.1).expected == pytest.approx((0.1, 0.2, 0.3, 0.4, 0.5, 0.6))


def test_a_vector_of_zeros_or_nan_does_not_pass() -> None:
    assert not compare_vectors("article 1", VECTOR, np.full_like(VECTOR, np.nan), 1.0).passed
    with np.errstate(invalid="ignore"):
        assert not compare_vectors("article 1", np.zeros_like(VECTOR), np.zeros_like(VECTOR), 1.0).passed

import numpy as np
import pytest

from retrieval.evaluate.recall import recall
from schemas.arrays import Pmids


def pmids(*rows: list[int]) -> list[Pmids]:
    return [np.array(row, np.int64) for row in rows]


def test_recall_is_the_mean_share_found_in_any_order() -> None:
    assert recall(pmids([1, 2, 3], [6, 5, 4]), pmids([3, 2, 9], [4, 5, 6]), 3) == pytest.approx((2 / 3 + 1) / 2)


def test_only_the_first_k_of_both_count() -> None:
    assert recall(pmids([9, 1]), pmids([1, 9]), 1) == 0
    assert recall(pmids([1, 9]), pmids([1, 2]), 1) == 1


def test_fewer_true_ones_than_k_are_all_there_are() -> None:
    assert recall(pmids([1, 2, 7]), pmids([1, 2]), 10) == 1
    assert recall(pmids([1]), pmids([1, 2]), 10) == 0.5


def test_as_many_answers_as_truths_are_needed() -> None:
    with pytest.raises(ValueError, match="zip"):
        recall(pmids([1]), pmids([1], [2]), 10)

import numpy as np
import pytest

from retrieval.train.pairs.checks import check_scores, refuse_held_out, scores_of
from schemas.errors import InputError

MINED = [np.array([4, 5]), np.array([6, 7, 8])]


def test_pairs_without_scores_are_counted() -> None:
    scores = [np.zeros(3, np.float32), np.zeros(0, np.float32)]
    with pytest.raises(InputError, match=r"1 of 2 pairs have no teacher's scores; mine with mine\.teacher = true"):
        check_scores(scores, MINED)
    check_scores([np.zeros(3, np.float32), np.zeros(4, np.float32)], MINED)


def test_an_article_on_both_sides_is_named() -> None:
    refuse_held_out(np.array([1, 2]), MINED, np.array([3, 9]))
    refuse_held_out(np.array([1, 2]), [], np.array([4]))
    with pytest.raises(InputError, match="article 2 and 1 others would be trained on, and held out"):
        refuse_held_out(np.array([1, 2]), MINED, np.array([2, 7]))


def test_scores_are_those_of_the_places() -> None:
    scores = [np.array([9, 4, 5], np.float32), np.array([8, 6, 7, 1], np.float32)]
    assert scores_of(scores, np.array([[1, 0], [2, 0]])).tolist() == [[9, 5, 4], [8, 1, 6]]

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.search.fusion import fuse, max_sim

scores = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=30)


def test_max_sim_is_the_mean_of_each_query_tokens_best_cosine() -> None:
    query = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    passage = np.array([[0.6, 0.8], [1, 0]], np.float32)
    assert max_sim(query, passage) == pytest.approx((1 + 0.8 + 1) / 3)


def test_max_sim_of_a_text_with_itself_is_one_and_with_less_is_not() -> None:
    tokens = np.array([[1, 0], [0, 1]], np.float32)
    assert max_sim(tokens, tokens) == 1
    assert max_sim(tokens, tokens[:1]) == 0.5
    assert max_sim(tokens[:1], tokens) == 1


def test_fused_scores_are_sums_of_z_scores() -> None:
    first = np.array([-1, 0, 1]) / np.sqrt(2 / 3)
    second = np.array([2, -1, -1]) / np.sqrt(2)
    assert fuse([10, 20, 30], [0.7, 0.1, 0.1]) == pytest.approx(first + second, abs=1e-6)


@given(value=st.floats(-100, 100, width=32), second=scores)
def test_a_stage_whose_scores_are_equal_has_no_say(value: float, second: list[float]) -> None:
    alike = [value] * len(second)
    alone = fuse([0.0] * len(second), second)
    assert fuse(alike, second).tolist() == fuse(second, alike).tolist() == alone.tolist()
    assert not fuse(alike, alike).any()


@given(first=scores, shift=st.integers(-50, 50), scale=st.sampled_from([0.5, 2.0, 8.0]))
def test_the_scale_of_a_stage_does_not_matter(first: list[float], shift: int, scale: float) -> None:
    values = np.round(np.array(first), 2)
    other = np.arange(len(values))[::-1]
    moved = fuse((values * scale + shift).tolist(), other.tolist())
    assert moved == pytest.approx(fuse(values.tolist(), other.tolist()), abs=1e-4)


def test_no_candidates_have_no_scores() -> None:
    assert fuse([], []).shape == (0,)
    assert fuse([3.0], [4.0]).tolist() == [0.0]

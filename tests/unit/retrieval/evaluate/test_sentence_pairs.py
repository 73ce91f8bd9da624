"""Reading pairs of sentences, and correlations by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.evaluate.sentence_pairs import SentencePair, correlate, read_sentence_pairs
from schemas.errors import InputError
from schemas.quality_report import Correlation

LINES = ["It raises the risk, says one.\tIt makes it higher.\t3.8\n", "one\ttwo \t0\r\n"]
PAIRS = [SentencePair("It raises the risk, says one.", "It makes it higher.", 3.8), SentencePair("one", "two", 0)]


def found(products: list[float], scores: list[float]) -> Correlation:
    """Of vectors whose inner products are these; the first of each pair has length 1."""
    firsts = np.tile(np.array([1, 0], np.float32), (len(products), 1))
    seconds = np.array([[product, 1] for product in products], np.float32)
    return correlate(firsts, seconds, scores)["inner_product"]


@pytest.mark.parametrize("header", [[], ["sentence1\tsentence2\tscore\n"]], ids=["bare", "header"])
def test_pairs_are_read(header: list[str]) -> None:
    assert read_sentence_pairs([*header, *LINES], "pairs.tsv") == PAIRS


@pytest.mark.parametrize(
    "line", ["", "one two 3", "one\ttwo", "one\ttwo\tmuch", "one\t\t3", "one\ttwo\tnan", "a\tb\tc\t1", "a\tb\tscore"]
)
def test_a_line_that_is_no_pair_is_named(line: str) -> None:
    with pytest.raises(InputError) as caught:
        read_sentence_pairs([LINES[0], line], "pairs.tsv")
    assert str(caught.value) == f"pairs.tsv line 2: not 'sentence, tab, sentence, tab, score' but {line!r}"


@pytest.mark.parametrize("lines", [[], LINES[:1], [LINES[0], LINES[0]]], ids=["none", "one", "equal"])
def test_scores_must_differ(lines: list[str]) -> None:
    with pytest.raises(InputError, match=rf"pairs.tsv: {len(lines)} pairs without two different scores"):
        read_sentence_pairs(lines, "pairs.tsv")


def test_correlations_by_hand() -> None:
    assert found([1, 2, 3, 10], [1, 2, 3, 4]).spearman == 1
    # deviations from the means: -3, -2, -1, 6 and -1.5, -0.5, 0.5, 1.5
    assert found([1, 2, 3, 10], [1, 2, 3, 4]).pearson == pytest.approx(14 / (50 * 5) ** 0.5)
    assert found([1, 2, 3], [3, 2, 1]).model_dump() == pytest.approx({"pearson": -1, "spearman": -1})


def test_equal_scores_share_the_mean_of_their_ranks() -> None:
    # ranks 1, 2, 3, 4 and 1.5, 1.5, 3, 4; their deviations -1.5, -0.5, 0.5, 1.5 and -1, -1, 0.5, 1.5
    expected = (1.5 + 0.5 + 0.25 + 2.25) / (5 * (1 + 1 + 0.25 + 2.25)) ** 0.5
    assert found([1, 2, 3, 4], [0, 0, 1, 2]).spearman == pytest.approx(expected)
    # ranks by their places, one after the other, would give 1
    assert expected < 0.95


def test_lengths_count_in_inner_products_and_not_in_cosines() -> None:
    firsts = np.array([[1, 0], [0, 2], [3, 0]], np.float32)
    seconds = np.array([[1, 0], [1, 1], [1, 9]], np.float32)
    both = correlate(firsts, seconds, [3, 2, 1])  # inner products 1, 2, 3; cosines 1, .71, .11
    assert both["inner_product"].spearman == pytest.approx(-1)
    assert both["cosine"].spearman == pytest.approx(1)
    assert both["cosine"].pearson == pytest.approx(np.corrcoef([1, 0.5**0.5, 1 / 82**0.5], [3, 2, 1])[0, 1])


@given(st.lists(st.integers(-5, 5), min_size=3, max_size=20).filter(lambda scores: len({*scores}) > 1))
def test_ranks_are_all_that_spearman_sees(scores: list[int]) -> None:
    products = [float(i) for i in range(len(scores))]
    stretched = found(products, [float(np.exp(score)) for score in scores])
    assert stretched.spearman == pytest.approx(found(products, [*map(float, scores)]).spearman)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.index import exact
from retrieval.index.exact import (
    BLOCK,
    best_first,
    blocked_matmul,
    exact_search,
    inner_products,
    lay_out,
    lowest,
    products,
    widened,
)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000),
    rows=st.integers(0, 70),
    dimension=st.integers(1, 65),
    columns=st.integers(1, 65),
    block=st.sampled_from([1, BLOCK]),
)
def test_a_rows_product_does_not_depend_on_its_neighbours(
    seed: int, rows: int, dimension: int, columns: int, block: int
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, dimension), np.float32)
    w = rng.standard_normal((dimension, columns), np.float32)
    together = blocked_matmul(x, lay_out(w), block)
    order = rng.permutation(rows)
    assert blocked_matmul(x[order], lay_out(w), block).tolist() == together[order].tolist()
    for i in range(min(rows, 5)):
        assert blocked_matmul(x[i : i + 1], lay_out(w), block)[0].tolist() == together[i].tolist()
    assert together == pytest.approx(x @ w, abs=1e-4)


def test_a_transposed_or_strided_operand_is_the_same_product() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((20, 8), np.float32), rng.standard_normal((8, 6), np.float32)
    expected = blocked_matmul(x, lay_out(w), 8).tolist()
    assert blocked_matmul(np.asfortranarray(x), lay_out(np.asfortranarray(w)), 8).tolist() == expected
    assert blocked_matmul(np.repeat(x, 2, axis=0)[::2], lay_out(w), 8).tolist() == expected


@settings(max_examples=40)
@given(seed=st.integers(0, 1000), rows=st.integers(1, 80), dimension=st.integers(1, 400))
def test_products_of_one_vector_are_the_same_bits_wherever_it_lies(seed: int, rows: int, dimension: int) -> None:
    rng = np.random.default_rng(seed)
    matrix, vector = rng.standard_normal((rows, dimension), np.float32), rng.standard_normal(dimension, np.float32)
    expected = products(vector, matrix)
    assert expected == pytest.approx(matrix @ vector, abs=1e-3)
    for shift in range(1, 9):
        elsewhere = np.empty(dimension + shift, np.float32)
        elsewhere[shift:] = vector
        assert products(elsewhere[shift:], matrix).tolist() == expected.tolist()


@given(values=st.lists(st.integers(0, 9), min_size=1, max_size=40), data=st.data())
def test_the_lowest_are_those_of_a_stable_sort(values: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(values)))
    expected = sorted(range(len(values)), key=lambda i: values[i])[:count]
    assert lowest(np.array(values, np.float32), count).tolist() == expected


def test_the_lowest_of_what_is_no_number_are_some() -> None:
    assert len(lowest(np.full(9, np.nan, np.float32), 3)) == 3


@settings(max_examples=40)
@given(seed=st.integers(0, 1000), rows=st.integers(1, 80), dimension=st.integers(1, 400))
def test_an_inner_product_is_the_same_bits_in_any_company(seed: int, rows: int, dimension: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, dimension)).astype(np.float16)
    query = rng.standard_normal(dimension, np.float32)
    together = inner_products(query, x)
    order = rng.permutation(rows)
    assert inner_products(query, x[order]).tolist() == together[order].tolist()
    assert inner_products(query, x[rows - 1 :]).tolist() == together[-1:].tolist()
    assert together == pytest.approx(x.astype(np.float64) @ query.astype(np.float64), abs=1e-3)


def test_the_best_come_first_and_equals_by_pmid() -> None:
    scores, pmids = np.array([1, 3, 3, 2], np.float32), np.array([4, 9, 8, 1])
    assert best_first(scores, pmids, 3).tolist() == [2, 1, 3]
    assert best_first(scores, pmids, 9).tolist() == [2, 1, 3, 0]


@settings(max_examples=60)
@given(
    seed=st.integers(0, 1000),
    rows=st.integers(0, 60),
    k=st.integers(1, 70),
    block=st.integers(1, 40),
    share=st.sampled_from([None, 0, 0.5, 1]),
)
def test_exact_search_is_a_plain_sort_over_any_blocks(
    seed: int, rows: int, k: int, block: int, share: float | None
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, (rows, 3)).astype(np.float16)  # small integers: exact products, many ties
    pmids = rng.permutation(1000)[:rows]
    queries = rng.integers(-2, 3, (4, 3)).astype(np.float32)
    wanted = np.flatnonzero(rng.random(rows) < (1 if share is None else share)).tolist()
    numbers = None if share is None else np.array(wanted, np.uint32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "EXACT_BLOCK", block)
        scores, found = exact_search(queries, x, pmids, k, numbers)
    filler = max(0, k - len(wanted))
    for q, query in enumerate(queries):
        products = x.astype(np.float32) @ query
        expected = sorted(wanted, key=lambda row: (-products[row], pmids[row]))[:k]
        assert found[q].tolist() == expected + [-1] * filler
        assert scores[q].tolist() == [products[row] for row in expected] + [-np.inf] * filler


@pytest.mark.parametrize("width", [16, 384, 768])
def test_scores_that_differ_in_their_last_bits_are_in_the_same_order_in_any_company(width: int) -> None:
    """A product of matrices has other last bits than `inner_products`, and others with more queries."""
    rng = np.random.default_rng(width)
    x = rng.permuted(np.repeat(rng.standard_normal((1, width)).astype(np.float16), 1000, axis=0), axis=1)
    pmids, queries = rng.permutation(1000), np.ones((7, width), np.float32)  # the sum of the same numbers
    _, together = exact_search(queries, x, pmids, 10)
    for query, found in zip(queries, together, strict=True):
        assert found.tolist() == best_first(inner_products(query, x), pmids, 10).tolist()
        assert found.tolist() == exact_search(query[None], x, pmids, 10)[1][0].tolist()


def test_rows_are_widened_as_numpy_does_it() -> None:
    every_float16 = np.arange(1 << 16, dtype=np.uint16).view(np.float16).reshape(256, 256)
    finite = np.where(np.isfinite(every_float16), every_float16, np.float16(0))
    assert widened(finite).tobytes() == finite.astype(np.float32).tobytes()

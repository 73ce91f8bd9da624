import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.train.pairs.answers import Answers, drawn, pair_hashes, query_hash

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=1, max_size=30)


@given(PAIRS)
def test_all_positives_of_a_query_are_known(pairs: list[tuple[int, int]]) -> None:
    queries, positives = np.array([q for q, _ in pairs], np.uint64), np.array([p for _, p in pairs], np.int64)
    answers = Answers(queries, positives)
    for query, positive in pairs:
        assert answers.of(query, positive).tolist() == sorted({p for q, p in pairs if q == query})


@given(PAIRS, st.integers(1, 40), st.randoms())
def test_pairs_are_drawn_by_what_they_are_and_not_by_their_order(
    pairs: list[tuple[int, int]], limit: int, random: object
) -> None:
    distinct = sorted({*pairs})
    shuffled = distinct.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    chosen = []
    for of in (distinct, shuffled):
        hashes = pair_hashes(np.array([q for q, _ in of], np.uint64), np.array([p for _, p in of], np.int64))
        kept = drawn(hashes, limit)
        assert kept.sum() == min(limit, len(of))
        chosen.append({pair for pair, is_kept in zip(of, kept, strict=True) if is_kept})
    assert chosen[0] == chosen[1]


def test_a_query_is_its_words() -> None:
    assert query_hash("Pain in  mice") == query_hash("pain in mice ") != query_hash("pain of mice")

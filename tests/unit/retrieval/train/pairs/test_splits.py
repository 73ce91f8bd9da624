import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.train.pairs.splits import EqualTexts, held_out

ARTICLES = st.dictionaries(st.integers(1, 10**6), st.integers(0, 6), max_size=40)


@given(ARTICLES)
def test_each_article_is_known_by_the_lowest_pmid_of_its_text(articles: dict[int, int]) -> None:
    pmids, hashes = np.array([*articles], np.int64), np.array([*articles.values()], np.uint64)
    found = EqualTexts(pmids, hashes).first(pmids)
    assert found.tolist() == [min(p for p, h in articles.items() if h == articles[pmid]) for pmid in articles]


@given(ARTICLES, st.integers(1, 10**7))
def test_what_is_not_among_them_is_known_by_itself(articles: dict[int, int], other: int) -> None:
    pmids, hashes = np.array([*articles], np.int64), np.array([*articles.values()], np.uint64)
    if other not in articles:
        assert EqualTexts(pmids, hashes).first(np.array([other])).tolist() == [other]


def test_the_share_is_held_out_and_a_larger_one_holds_out_the_same_and_more() -> None:
    pmids = np.arange(1, 100_001)
    tenth, fifth = held_out(pmids, 0.1), held_out(pmids, 0.2)
    assert abs(tenth.mean() - 0.1) < 0.005
    assert not (tenth & ~fifth).any()
    assert held_out(pmids[500:600], 0.1).tolist() == tenth[500:600].tolist()
    assert not held_out(pmids, 0).any()
    assert held_out(pmids, 1).all()

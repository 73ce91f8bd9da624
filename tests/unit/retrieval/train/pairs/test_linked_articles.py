import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.train.pairs.linked_articles import LinkedArticles

ARTICLES = st.dictionaries(st.integers(1, 400), st.integers(0, 5), max_size=60)


@given(ARTICLES, st.integers(1, 4))
def test_each_article_is_like_another_one_of_its_topics_and_an_answer_once(of: dict[int, int], pieces: int) -> None:
    pmids, topics = np.array([*of], np.int64), np.array([*of.values()], np.uint64)
    split = [(pmids[piece::pieces], topics[piece::pieces]) for piece in range(pieces)]
    linked = LinkedArticles.of(split)
    assert linked.known.tolist() == sorted(of)
    sizes = {topic: [*of.values()].count(topic) for topic in of.values() if topic}
    alike = linked.alike_of(pmids)
    assert {*alike} == {pmid for pmid, topic in of.items() if sizes.get(topic, 0) > 1} == {*alike.values()}
    assert all(of[one] == of[other] and one != other for one, other in alike.items())
    assert linked.alike_of(np.array([401])) == {}

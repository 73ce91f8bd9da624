import tempfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.store.local_store import LocalStore
from retrieval.articles import pmids as classes
from retrieval.train.pairs.equal_texts import EqualTexts, equal_among
from schemas.article import Article
from tests.support.stores.store_files import add_part, add_snapshot

ARTICLES = st.dictionaries(st.integers(1, 10**6), st.integers(0, 6), max_size=40)


def known(articles: dict[int, int]) -> EqualTexts:
    return EqualTexts(*equal_among(np.array([*articles], np.int64), np.array([*articles.values()], np.uint64)))


@given(ARTICLES)
def test_each_article_is_known_by_the_lowest_pmid_of_its_text(articles: dict[int, int]) -> None:
    found = known(articles).first(np.array([*articles], np.int64))
    assert found.tolist() == [min(p for p, h in articles.items() if h == articles[pmid]) for pmid in articles]


@given(ARTICLES, st.integers(1, 10**7))
def test_what_is_not_among_them_is_known_by_itself(articles: dict[int, int], other: int) -> None:
    if other not in articles:
        assert known(articles).first(np.array([other])).tolist() == [other]


@pytest.mark.parametrize("class_rows", [1, 7, 1000])
def test_a_snapshot_is_looked_at_in_classes_of_any_size(class_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "CLASS_ROWS", class_rows)
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(folder)
        parts = [
            add_part(store, name, *(Article(pmid, title=f"title {pmid % 6}") for pmid in pmids))
            for name, pmids in {"a": range(1, 15), "b": range(15, 31)}.items()
        ]
        found = EqualTexts.of(store, add_snapshot(store, parts)).first(np.arange(1, 32))
    assert found.tolist() == [(pmid - 1) % 6 + 1 for pmid in range(1, 31)] + [31]

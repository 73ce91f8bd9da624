import asyncio
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.searcher import IndexSearcher
from retrieval.topk import exact_search
from schemas.errors import IntegrityError, StoreError
from schemas.layout import LISTS, Layout
from schemas.manifest import IndexVersion
from schemas.protocols import Lookup
from tests.unit.actors.index import PMIDS, ROWS, write_version
from tests.unit.retrieval import corpus

QUERIES = corpus.queries(1, 12)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return Layout(str(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def version(layout: Layout) -> IndexVersion:
    return write_version(layout)


@pytest.fixture(scope="module")
def searcher(layout: Layout, version: IndexVersion) -> IndexSearcher:
    return IndexSearcher(layout, version)


def expected(k: int) -> list[list[int]]:
    _, rows = exact_search(QUERIES, corpus.vectors(0, ROWS), PMIDS, k)
    return [PMIDS[r].tolist() for r in rows]


def found(searcher: IndexSearcher, k: int) -> list[list[int]]:
    return [[m.article.pmid for m in matches] for matches in searcher.matches([Lookup(q, k) for q in QUERIES])]


def test_exact_search_and_probing_every_list_give_the_true_best(layout: Layout, version: IndexVersion) -> None:
    everywhere = version.model_copy(update={"nprobe": 8, "candidates": ROWS})
    assert found(IndexSearcher(layout, version, exact=True), 10) == expected(10)
    assert found(IndexSearcher(layout, everywhere), 10) == expected(10)


def test_few_lists_find_most_but_not_all_of_the_best(searcher: IndexSearcher) -> None:
    overlap = [len(set(a) & set(b)) / 10 for a, b in zip(found(searcher, 10), expected(10), strict=True)]
    assert 0.5 < np.mean(overlap) < 1


@pytest.mark.parametrize("k", [1, 150, ROWS, 1000])
def test_there_are_k_hits_even_where_the_probed_lists_hold_fewer(searcher: IndexSearcher, k: int) -> None:
    for pmids in found(searcher, k):
        assert len(pmids) == min(k, ROWS)
        assert len(set(pmids)) == len(pmids)


def test_a_match_is_the_article_with_its_inner_product(searcher: IndexSearcher) -> None:
    rows = dict(zip(PMIDS.tolist(), corpus.vectors(0, ROWS).astype(np.float32), strict=True))
    [matches] = searcher.matches([Lookup(QUERIES[0], 20)])
    for match in matches:
        assert match.article.title == f"Title {match.article.pmid}"
        assert match.score == pytest.approx(float(rows[match.article.pmid] @ QUERIES[0]), abs=1e-5)
    assert [m.score for m in matches] == sorted((m.score for m in matches), reverse=True)


@settings(max_examples=20, deadline=None)
@given(wishes=st.lists(st.tuples(st.integers(0, 11), st.sampled_from([1, 5, 30, 300])), max_size=6))
def test_a_lookup_does_not_depend_on_the_others(searcher: IndexSearcher, wishes: list[tuple[int, int]]) -> None:
    lookups = [Lookup(QUERIES[q], k) for q, k in wishes]
    assert searcher.matches(lookups) == [searcher.matches([lookup])[0] for lookup in lookups]


def test_search_is_matches_off_the_event_loop(searcher: IndexSearcher) -> None:
    lookups = [Lookup(q, 3) for q in QUERIES]
    assert asyncio.run(searcher.search(lookups)) == searcher.matches(lookups)


def test_a_quantizer_that_is_not_there_is_named(layout: Layout, version: IndexVersion) -> None:
    with pytest.raises(StoreError, match="quantizer abc is not in the store"):
        IndexSearcher(layout, version.model_copy(update={"quantizer": "abc"}))


def test_a_truncated_file_is_refused_by_name_at_open(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    version = write_version(layout)
    path = Path(layout.segment("s1")) / LISTS
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match=str(path)):
        IndexSearcher(layout, version)

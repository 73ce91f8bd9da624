"""Arrays of PMIDs, against sets and lists of them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.articles import pmids as module
from retrieval.articles.pmids import find_among, list_id, parse_pmids, pmid_classes, population, selected
from schemas.config import SelectionConfig
from schemas.errors import InputError
from schemas.manifest import Population

some = st.lists(st.integers(1, 20), max_size=12)


@given(some, some)
def test_those_found_are_told_with_their_places(known: list[int], wanted: list[int]) -> None:
    held = sorted(set(known))
    found, slots = find_among(np.array(held, np.int64), np.array(wanted, np.int64))
    assert found.tolist() == [position for position, pmid in enumerate(wanted) if pmid in held]
    assert [held[slot] for slot in slots] == [pmid for pmid in wanted if pmid in held]


PMIDS = st.sets(st.integers(0, 2**63 - 1), max_size=20)


@given(PMIDS, PMIDS)
def test_a_population_is_that_of_a_set_in_whatever_order_and_pieces(one: set[int], other: set[int]) -> None:
    def of(pmids: set[int], *, backwards: bool = False) -> Population:
        return population(np.array(sorted(pmids, reverse=backwards), np.int64))

    assert of(one) == of(one, backwards=True)
    assert of(one) + of(other - one) == of(one | other)
    assert of(one | other) - of(other) == of(one - other)
    assert (of(one) == of(other)) == (one == other)


@pytest.mark.parametrize(("rows", "classes"), [(0, 1), (4, 1), (5, 2), (9, 3)])
def test_every_pmid_is_of_one_class(rows: int, classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLASS_ROWS", 4)
    pmids = np.arange(30)
    holds = [class_.holds(pmids) for class_ in pmid_classes(rows)]
    assert len(holds) == classes
    assert (np.sum(holds, axis=0) == 1).all()


ARTICLES = pa.table({"pmid": pa.array([5, 3, 9]), "abstract": ["", "some", " "]})


@given(st.lists(st.integers(1, 10**18 - 1), min_size=1))
def test_a_list_of_pmids_comes_back_sorted_and_each_once(pmids: list[int]) -> None:
    assert parse_pmids("\n".join(map(str, pmids)), "list").tolist() == sorted(set(pmids))


def test_comments_and_blank_lines_are_skipped() -> None:
    assert parse_pmids("# chosen by hand\n\n  12 # the first\n7\r\n", "list").tolist() == [7, 12]


@pytest.mark.parametrize("word", ["PMC12", "-3", "1.5", "1 2", "²", "9" * 19])
def test_the_first_line_that_is_no_pmid_is_named(word: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_pmids(f"12\n{word}\nbad", "list.txt")
    assert str(caught.value) == f"list.txt line 2: {word!r} is not a PMID; write one number per line"


@pytest.mark.parametrize("text", ["", "\n", "# none\n"])
def test_an_empty_list_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^list\.txt: no PMIDs in it; write one number per line$"):
        parse_pmids(text, "list.txt")


def test_each_rule_selects_its_articles() -> None:
    assert selected(SelectionConfig(rule="all"), None, ARTICLES).tolist() == [True, True, True]
    assert selected(SelectionConfig(rule="abstract"), None, ARTICLES).tolist() == [False, True, True]
    pmids = SelectionConfig(rule="pmids", file="list.txt")
    assert selected(pmids, np.array([3, 4, 5]), ARTICLES).tolist() == [True, True, False]


def test_selections_of_one_name_select_alike() -> None:
    assert list_id(np.array([1, 2])) == list_id(np.array([1, 2])) != list_id(np.array([1, 3]))

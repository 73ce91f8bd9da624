"""Arrays of PMIDs, against sets and lists of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.articles import pmids as module
from retrieval.articles.pmids import find_among, pmid_classes

some = st.lists(st.integers(1, 20), max_size=12)


@given(some, some)
def test_those_found_are_told_with_their_places(known: list[int], wanted: list[int]) -> None:
    held = sorted(set(known))
    found, slots = find_among(np.array(held, np.int64), np.array(wanted, np.int64))
    assert found.tolist() == [position for position, pmid in enumerate(wanted) if pmid in held]
    assert [held[slot] for slot in slots] == [pmid for pmid in wanted if pmid in held]


@pytest.mark.parametrize(("rows", "classes"), [(0, 1), (4, 1), (5, 2), (9, 3)])
def test_every_pmid_is_of_one_class(rows: int, classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLASS_ROWS", 4)
    pmids = np.arange(30)
    holds = [class_.holds(pmids) for class_ in pmid_classes(rows)]
    assert len(holds) == classes
    assert (np.sum(holds, axis=0) == 1).all()

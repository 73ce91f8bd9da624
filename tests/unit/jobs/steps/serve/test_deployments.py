import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.steps.serve.deployments import answers
from schemas.errors import FailedError, InputError
from schemas.filters import Condition, Wanted
from schemas.protocols import Lookup, Match
from tests.support.service.seams import Shelf

ZERO = np.zeros(1, np.float32)
STRANGE = Wanted((Condition(field="mesh", op="=", value="Hearth"),))


class Strict(Shelf):
    """A shelf that knows no MeSH heading."""

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        if any(lookup.wanted.filters for lookup in lookups):
            raise InputError("filter: no article has mesh 'Hearth'")
        return await super().search(lookups)


def test_a_refused_lookup_does_not_spoil_those_beside_it() -> None:
    lookups = [Lookup(ZERO, 1), Lookup(ZERO, 1, STRANGE), Lookup(ZERO, 2)]
    first, refused, last = asyncio.run(answers(Strict([1, 2]).search, lookups))
    assert ([m.article.pmid for m in first], [m.article.pmid for m in last]) == ([1], [1, 2])
    assert isinstance(refused, InputError)
    assert str(refused) == "filter: no article has mesh 'Hearth'"


@given(asked=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=8))
def test_whatever_comes_together_each_lookup_is_answered_as_if_alone(asked: list[tuple[int, bool]]) -> None:
    lookups = [Lookup(ZERO, k, STRANGE if strange else Wanted()) for k, strange in asked]
    together = asyncio.run(answers(Strict([1, 2, 3]).search, lookups))
    alone = [asyncio.run(answers(Strict([1, 2, 3]).search, [lookup]))[0] for lookup in lookups]
    assert [*map(repr, together)] == [*map(repr, alone)]
    assert [isinstance(answer, InputError) for answer in together] == [strange for _, strange in asked]


def test_lookups_that_none_refuses_are_answered_together() -> None:
    shelf = Shelf([1, 2])
    assert asyncio.run(answers(shelf.search, [Lookup(ZERO, 1)] * 3)) == [shelf._matches(Lookup(ZERO, 1))] * 3
    assert shelf.depths == [1, 1, 1]


def test_an_item_that_fails_unforeseen_spoils_none_beside_it_and_its_traceback_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shelf = Shelf([1, 2])
    fine, failed = asyncio.run(answers(shelf.search, [Lookup(ZERO, 1), "no lookup"]))
    assert fine == shelf._matches(Lookup(ZERO, 1))
    assert (type(failed), str(failed)) == (FailedError, "a part of the service failed; its log has the reason")
    assert "AttributeError: 'str' object has no attribute 'k'" in caplog.text

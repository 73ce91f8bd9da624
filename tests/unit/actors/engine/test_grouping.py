import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engine.grouping import alike_together


@given(st.lists(st.integers(0, 20)))
def test_each_item_gets_its_own_answer_and_each_kind_is_asked_once(items: list[int]) -> None:
    asked = []

    def answer(kind: int, alike: list[int]) -> list[str]:
        asked.append(kind)
        assert {item % 3 for item in alike} == {kind}
        return [f"{item} of {kind}" for item in alike]

    assert alike_together(items, lambda item: item % 3, answer) == [f"{item} of {item % 3}" for item in items]
    assert sorted(asked) == sorted({item % 3 for item in items})


def test_an_answer_too_few_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        alike_together([1, 1], lambda item: item, lambda _, alike: alike[1:])

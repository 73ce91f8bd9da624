import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from schemas.base import Frozen, digest, first_wrong, is_visible, is_whole, nearest_key

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcé", max_size=2), inner, max_size=3),
    max_leaves=8,
)


class Point(Frozen):
    x: int


def test_a_digest_is_golden_so_that_stored_names_are_found_again() -> None:
    assert digest({"b": [1, None, "é"], "a": True}) == "eaa728c5bbdde78b"


@given(st.dictionaries(st.text("abc", max_size=2), values, max_size=4))
def test_the_order_of_keys_does_not_matter(value: dict[str, object]) -> None:
    assert digest(dict(reversed(value.items()))) == digest(value)
    assert len(digest(value)) == 16


@given(values, values)
def test_different_values_have_different_digests(first: object, second: object) -> None:
    assert (digest(first) == digest(second)) == (
        json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    )


def test_a_value_cannot_be_changed_and_knows_no_other_field() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Point(x=1).x = 2  # type: ignore[misc]
    with pytest.raises(ValidationError, match="y"):
        Point.model_validate({"x": 1, "y": 2})


class Line(Frozen):
    start: Point
    stops: tuple[Point, ...] = Field((), alias="via")


@pytest.mark.parametrize(
    ("key", "nearest"), [("strat", "start.x"), ("start.z", "start.x"), ("viaa", "via"), ("via.0.x", "via.x")]
)
def test_the_nearest_key_is_one_that_a_value_may_have(key: str, nearest: str) -> None:
    assert nearest_key(Line, key) == nearest


@pytest.mark.parametrize(
    ("text", "visible"), [("", False), (" \n", False), ("\0\a", False), ("\u200b", False), ("\0 a", True), ("é", True)]
)
def test_a_text_is_visible_where_one_of_its_characters_is(text: str, visible: bool) -> None:
    assert is_visible(text) == visible


@pytest.mark.parametrize(("text", "whole"), [("", True), ("é 😀 \0", True), ("\ud83d", False), ("a\udc00", False)])
def test_a_text_is_whole_where_it_has_a_form_in_utf_8(text: str, whole: bool) -> None:
    assert is_whole(text) == whole


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"x": "a"}, "x = 'a': input should be a valid integer, unable to parse string as an integer"),
        ({}, "x: field required"),
        (
            {"x": "a" * 100},
            "x = '" + "a" * 79 + ": input should be a valid integer, unable to parse string as an integer",
        ),
        ("a", "input should be a valid dictionary or instance of point"),
    ],
)
def test_the_first_thing_that_is_wrong_is_one_line(value: object, line: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Point.model_validate(value)
    assert first_wrong(caught.value) == line

from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from actors.web.page.page_address import HITS, LAST_PAGE, TERMS, AskedSearch, read_address, similar_to
from schemas.article import ARTICLE_FIELDS
from schemas.base import is_visible
from schemas.filters import MAX_TERM_CHARS, MAX_YEAR, Condition, leaves
from schemas.search import MAX_K, MAX_QUERY_CHARS, SearchRequest
from tests.support.examples import examples

# Any text that can be sent, among it what an address has a meaning for.
TEXTS = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from("&=?#+%;/\"'<> ")), max_size=40)
WORDS = TEXTS.map(str.strip).filter(is_visible)


def read(**parameters: str | list[str]) -> AskedSearch:
    asked, wrong = read_address(QueryParams(urlencode(parameters, doseq=True)))
    assert wrong == {}
    assert asked is not None
    return asked


def wrong(**parameters: str | list[str]) -> dict[str, str]:
    asked, wrong = read_address(QueryParams(urlencode(parameters, doseq=True)))
    assert asked is None
    return wrong


@st.composite
def conditions(draw: st.DrawFn) -> tuple[Condition, ...]:
    """Return what the form can ask for, in its order."""
    found: list[dict[str, object]] = []
    for op in (">=", "<="):
        if draw(st.booleans()):
            found.append({"field": "year", "op": op, "value": draw(st.integers(0, MAX_YEAR))})
    for field in TERMS:
        values = draw(st.lists(WORDS, max_size=3, unique=True))
        if len(values) == 1:
            found.append({"field": field, "op": "=", "value": values[0]})
        elif values:
            found.append({"field": field, "op": "in", "value": values})
    if draw(st.booleans()):
        found.append({"field": "abstract", "op": "=", "value": draw(st.sampled_from(["yes", "no"]))})
    return tuple(Condition.model_validate(condition) for condition in found)


@st.composite
def questions(draw: st.DrawFn) -> AskedSearch:
    similar = draw(st.booleans())
    request = SearchRequest(
        query=draw(WORDS),
        k=HITS + 1,
        offset=(draw(st.integers(1, LAST_PAGE)) - 1) * HITS,
        filters=draw(conditions()),
        include_retracted=draw(st.booleans()),
        rerank=draw(st.booleans()) and not similar,
        highlight=True,
        fields=ARTICLE_FIELDS,
    )
    return AskedSearch(request, similar)


@examples(40, whole=100)
@given(questions())
def test_what_is_asked_for_survives_its_address(asked: AskedSearch) -> None:
    assert read_address(QueryParams(urlsplit(asked.address).query)) == (asked, {})


def test_an_address_says_nothing_that_goes_without_saying() -> None:
    assert read(q="statins", similar="", type=["", " "], rerank="1", retracted="0", page="1").address == "./?q=statins"
    assert similar_to("PMC 1&2").address == "./?similar=PMC+1%262"


def test_every_parameter_reaches_the_request() -> None:
    parameters: dict[str, str | list[str]] = {
        "q": " muscle pain ",
        "from": "1990",
        "to": "2020",
        "type": ["Review", "Letter", "Review"],
        "language": "eng",
        "journal": "Lancet",
        "mesh": "Statins",
        "abstract": "yes",
        "retracted": "1",
        "rerank": "0",
        "page": "3",
        "utm_source": "a letter",
    }
    request = read(**parameters).request
    assert (request.query, request.offset, request.k) == ("muscle pain", 2 * HITS, HITS + 1)
    assert [(c.field, c.op, c.value) for c in leaves(request.filters)] == [
        ("year", ">=", 1990),
        ("year", "<=", 2020),
        ("type", "in", ("Review", "Letter")),
        ("language", "=", "eng"),
        ("journal", "=", "Lancet"),
        ("mesh", "=", "Statins"),
        ("abstract", "=", "yes"),
    ]
    assert request.include_retracted
    assert not request.rerank


def test_a_query_comes_before_an_article() -> None:
    assert read(q="statins", similar="7").similar is False
    assert read(q=" ", similar="7").similar is True


@pytest.mark.parametrize("parameters", [{}, {"q": " "}, {"from": "1990"}])
def test_without_a_query_nothing_is_asked_for_and_nothing_wrong(parameters: dict[str, str]) -> None:
    assert read_address(QueryParams(parameters)) == (None, {})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("q", "x" * (MAX_QUERY_CHARS + 1), f"1 to {MAX_QUERY_CHARS} characters"),
        ("q", "\0\a", "no printable character"),
        ("from", "next", f"a whole number up to {MAX_YEAR}"),
        ("to", "-1", f"a whole number up to {MAX_YEAR}"),
        ("to", "²", f"a whole number up to {MAX_YEAR}"),
        ("type", "x" * (MAX_TERM_CHARS + 1), f"1 to {MAX_TERM_CHARS} characters"),
        ("abstract", "perhaps", "yes or no"),
        ("retracted", "yes", "0 or 1"),
        ("rerank", "no", "0 or 1"),
        ("page", "0", f"from 1 to {LAST_PAGE}"),
        ("page", str(LAST_PAGE + 1), f"from 1 to {LAST_PAGE}"),
        ("page", "two", f"from 1 to {LAST_PAGE}"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str, expected: str) -> None:
    reasons = wrong(**{"q": "statins", name: value})
    assert [*reasons] == [name]
    assert expected in reasons[name]


def test_all_wrong_values_are_named_even_without_a_query() -> None:
    assert [*wrong(**{"from": "a", "abstract": "b", "page": "c"})] == ["from", "abstract", "page"]


def test_the_last_page_ends_within_what_a_similar_search_may_return() -> None:
    request = read(q="q", page=str(LAST_PAGE)).request
    assert MAX_K - HITS <= request.depth < MAX_K


def test_another_page_differs_in_nothing_else() -> None:
    asked = read(q="statins", type="Review")
    assert asked.on_page(2).address == asked.address + "&page=2"
    assert asked.on_page(2).page == 2
    assert asked.on_page(2).on_page(1) == asked

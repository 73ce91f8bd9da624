import pytest
from pydantic import ValidationError

from schemas.search import MAX_K, MAX_QUERY_CHARS, SearchRequest


def test_a_query_alone_is_a_request() -> None:
    request = SearchRequest.model_validate_json('{"query": "  statins and muscle pain\\n"}')
    assert request == SearchRequest(query="statins and muscle pain", k=10, rerank=True, candidates=None)


@pytest.mark.parametrize(
    "values",
    [
        {"query": "x" * MAX_QUERY_CHARS},
        {"query": " " + "x" * MAX_QUERY_CHARS + " "},
        {"query": "x", "k": 1, "candidates": 1},
        {"query": "x", "k": MAX_K, "candidates": MAX_K},
        {"query": "x", "candidates": None},
    ],
)
def test_the_limits_are_allowed(values: dict[str, object]) -> None:
    SearchRequest.model_validate(values)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("query", ""),
        ("query", " \n\t"),
        ("query", "x" * (MAX_QUERY_CHARS + 1)),
        ("query", 3),
        ("query", None),
        ("k", 0),
        ("k", -1),
        ("k", MAX_K + 1),
        ("k", 1.5),
        ("k", None),
        ("candidates", 0),
        ("candidates", MAX_K + 1),
        ("rerank", None),
        ("filter", "year>=2020"),
    ],
)
def test_what_is_beyond_them_is_refused_by_the_fields_name(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        SearchRequest.model_validate({"query": "x", field: value})
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]


def test_a_request_without_query_is_refused() -> None:
    with pytest.raises(ValidationError, match="query"):
        SearchRequest.model_validate({"k": 3})

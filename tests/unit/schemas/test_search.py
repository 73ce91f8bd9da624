import pytest
from pydantic import ValidationError

from schemas.filters import EVERYTHING, MAX_CONDITIONS, MAX_TERM_CHARS, MAX_VALUES, Condition, Wanted
from schemas.search import MAX_K, MAX_QUERY_CHARS, SearchRequest


def test_a_query_alone_is_a_request() -> None:
    request = SearchRequest.model_validate_json('{"query": "  statins and muscle pain\\n"}')
    assert request == SearchRequest(query="statins and muscle pain", k=10, rerank=True, candidates=None)


@pytest.mark.parametrize(
    "values",
    [
        {"query": "x" * MAX_QUERY_CHARS},
        {"query": " " + "x" * MAX_QUERY_CHARS + " "},
        {"query": "\0x\a"},
        {"query": "?"},
        {"query": "心"},
        {"query": "x", "k": 1, "candidates": 1},
        {"query": "x", "k": MAX_K, "candidates": MAX_K},
        {"query": "x", "candidates": None},
        {"query": "x", "filters": [{"field": "mesh", "op": "=", "value": "x" * MAX_TERM_CHARS}] * MAX_CONDITIONS},
        {"query": "x", "filters": [{"field": "year", "op": "in", "value": [*range(MAX_VALUES)]}]},
        {"query": "x", "filters": [{"field": "year", "op": "not in", "value": [0, 9999]}]},
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
        ("query", "\0\a"),
        ("query", ["x", " \u200b\x7f "]),
        ("query", 3),
        ("query", None),
        ("query", "half \ud800 a character"),
        ("query", ["whole", "\udfff"]),
        ("task", "\ud800"),
        ("k", 0),
        ("k", -1),
        ("k", MAX_K + 1),
        ("k", 1.5),
        ("k", None),
        ("candidates", 0),
        ("candidates", MAX_K + 1),
        ("rerank", None),
        ("filter", "year>=2020"),
        ("filters", None),
        ("filters", [{"field": "year", "op": "=", "value": 2020}] * (MAX_CONDITIONS + 1)),
        ("include_retracted", None),
    ],
)
def test_what_is_beyond_them_is_refused_by_the_fields_name(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        SearchRequest.model_validate({"query": "x", field: value})
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"k": 500, "offset": 1}, "2 queries want 1002 hits; a request can have 1000"),
        ({"candidates": 501}, "2 queries want 1002 candidates; a request can have 1000"),
    ],
)
def test_a_list_of_queries_has_no_more_hits_and_candidates_in_all(values: dict[str, int], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SearchRequest.model_validate({"query": ["a", "b"], **values})
    SearchRequest.model_validate(
        {"query": ["a", "b"], **{name: value - 1 for name, value in values.items() if value > 1}}
    )


def test_a_request_without_query_is_refused() -> None:
    with pytest.raises(ValidationError, match="query"):
        SearchRequest.model_validate({"k": 3})


def condition(field: str, op: str, value: object) -> Condition:
    return Condition.model_validate({"field": field, "op": op, "value": value})


def test_conditions_are_values_that_come_back_from_json() -> None:
    request = SearchRequest(query="x", filters=(condition("type", "in", ["Review"]), condition("year", "<", 2000)))
    assert SearchRequest.model_validate_json(request.model_dump_json()) == request
    assert len({request.filters, request.filters[:1], SearchRequest.model_validate(request.model_dump()).filters}) == 2


def test_retracted_articles_are_wanted_where_they_or_a_condition_on_them_is_asked_for() -> None:
    year, retracted = condition("year", "=", 2020), condition("retracted", "=", "yes")
    assert SearchRequest(query="x").wanted == Wanted()
    assert SearchRequest(query="x", filters=(year,)).wanted == Wanted((year,))
    assert SearchRequest(query="x", filters=(retracted,)).wanted == Wanted((retracted,), retracted=True)
    assert SearchRequest(query="x", filters=(year,), include_retracted=True).wanted == Wanted((year,), retracted=True)
    assert SearchRequest(query="x", include_retracted=True).wanted == EVERYTHING

from typing import get_args
from urllib.parse import urlencode

import httpx
import pytest
from pydantic import ValidationError

from actors.web.api import create_app
from schemas.filter_text import parse_filter
from schemas.filters import EVERYTHING, MAX_CONDITIONS, MAX_TERM_CHARS, MAX_VALUES, Condition, Wanted
from schemas.search import MAX_K, MAX_QUERY_CHARS, ArticleField, SearchRequest, SimilarRequest
from tests.support.service.seams import SECONDS, Shelf, joined
from tests.support.service.serving import ask


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
        ("candidates", 0),
        ("candidates", MAX_K + 1),
        ("filter", "year>=2020"),
        ("filters", [{"field": "year", "op": "=", "value": 2020}] * (MAX_CONDITIONS + 1)),
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


def test_an_option_that_is_null_is_as_if_it_were_left_out() -> None:
    options = [name for name in SearchRequest.model_fields if name != "query"]
    assert SearchRequest.model_validate({"query": "x"} | dict.fromkeys(options)) == SearchRequest(query="x")
    assert SimilarRequest.model_validate({"filter": None, "k": None}) == SimilarRequest()


@pytest.mark.parametrize("text", ["year>=1977 and type in (Review,Letter)", ["year>=1977", "type in (Review,Letter)"]])
def test_filters_may_be_text_in_the_grammar_of_the_command_line(text: object) -> None:
    year, types = condition("year", ">=", 1977), condition("type", "in", ["Review", "Letter"])
    assert SearchRequest.model_validate({"query": "x", "filters": text}).filters == (year, types)
    mixed = {"query": "x", "filters": [year.model_dump(), "type in (Review, Letter)"]}
    assert SearchRequest.model_validate(mixed).filters == (year, types)
    assert SearchRequest.model_validate({"query": "x", "filters": ""}).filters == ()


@pytest.mark.parametrize(
    ("op", "value", "asked"),
    [
        ("=", "Retracted Publication", True),
        ("=", "Retraction of Publication", False),
    ],
)
def test_a_condition_on_the_type_of_retracted_articles_asks_for_them(op: str, value: object, asked: bool) -> None:
    wanted = SearchRequest(query="x", filters=(condition("type", op, value),)).wanted
    assert (wanted.retracted, condition("retracted", "!=", "yes") in wanted.conditions) == (asked, not asked)


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


def similar(shelf: Shelf, parameters: str) -> httpx.Response:
    return ask(create_app(joined(shelf), SECONDS), "GET", f"/v1/similar/3?{parameters}")


def test_similar_articles_are_paged_filtered_and_shown_as_those_of_a_search() -> None:
    shelf = Shelf([1, 2, 3, 4, 5])
    answer = similar(shelf, "k=2&offset=1&fields=year&fields=journal&highlight=true&include_retracted=true")
    hits = answer.json()["hits"]
    assert [(hit["rank"], hit["id"]) for hit in hits] == [(2, "2"), (3, "4")]
    assert hits[0].keys() & get_args(ArticleField) == {"year", "journal"}
    assert hits[0]["highlights"] == {"title": [[0, 5]], "abstract": []}
    assert (shelf.depths, shelf.wanted) == ([4], [Wanted(retracted=True)])


@pytest.mark.parametrize(
    "texts", [["year>=2020 and type in (Review, 'Letter')"], ["year>=2020", 'type in ("Review", Letter)']]
)
def test_the_filter_of_similar_articles_is_the_text_of_the_command_line(texts: list[str]) -> None:
    shelf = Shelf([1, 2, 3])
    assert similar(shelf, urlencode({"filter": texts}, doseq=True)).status_code == 200
    assert shelf.wanted == [Wanted(parse_filter("year>=2020 and type in (Review, Letter)"))]


@pytest.mark.parametrize("parameters", ["", "filter=", "filter=+"])
def test_without_a_filter_similar_articles_are_all_but_retracted_ones(parameters: str) -> None:
    shelf = Shelf([1, 2, 3])
    assert len(similar(shelf, parameters).json()["hits"]) == 2
    assert shelf.wanted == [Wanted()]


@pytest.mark.parametrize(
    ("parameters", "detail"),
    [
        ("filter=colour=red", "filter: character 1, 'colour=red': expected a field ("),
        ("filter=mesh={red}) or", "filter: character 11, ') or': expected 'and'"),
        ("filter=year=last", "filter: 'year=last': year takes a whole number"),
        (f"filter=mesh={'x' * 2000}", f"filter: 'mesh={'x' * 95}': mesh takes text of 1 to"),
        ("&".join(["filter=year>1900"] * (MAX_CONDITIONS + 1)), "filter: give at most 16 items"),
        ("filters=year>2020", "filters: unknown; the nearest known field is 'filter'"),
        ("fields=colour", "fields.0: input should be 'title', "),
        ("k=1000&offset=1", "query: offset and k end at hit 1001; the last to be had is 1000"),
    ],
    ids=lambda text: text[:30],
)
def test_a_wrong_parameter_is_refused_by_name(parameters: str, detail: str) -> None:
    answer = similar(Shelf([1, 2, 3]), parameters)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["detail"].startswith(detail)


def test_all_that_may_be_had_of_similar_articles_can_be_asked_for() -> None:
    assert len(similar(Shelf([*range(1, 1500)]), "k=1000&fields=year").json()["hits"]) == 1000

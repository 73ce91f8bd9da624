"""The API as an HTTP client sees it, in process."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any, get_args

import httpx
import pytest

from actors.search.served_versions import ServedVersions
from actors.service.search_service import SearchService
from actors.web.api import create_app
from actors.web.middleware.front import Front
from actors.web.middleware.limits import MAX_BODY_BYTES
from schemas.errors import UnavailableError
from schemas.filter_text import parse_filter
from schemas.filters import (
    MAX_CONDITIONS,
    MAX_PMIDS,
    MAX_TERM_CHARS,
    MAX_VALUES,
    FilterField,
    Operator,
    Wanted,
)
from schemas.protocols import ArticleKey, StoredArticle
from schemas.search import MAX_QUERY_CHARS
from schemas.stored_vectors import MAX_VECTORS
from tests.support.service.seams import SECONDS, VERSION, Favours, Lengths, Shelf, joined

SERVICE = joined(Shelf([3, 1, 2]), Favours({2: 1.0}))


class Silent(Shelf):
    """Does not answer."""

    async def stored(self, keys: list[ArticleKey]) -> list[StoredArticle | None]:
        raise UnavailableError("the searcher does not answer; try again")


def call(method: str, path: str, service: SearchService = SERVICE, **request: Any) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(service, SECONDS))
        async with httpx.AsyncClient(transport=transport, base_url="http://pubray") as client:
            return await client.request(method, path, **request)

    return asyncio.run(send())


def search(**body: Any) -> httpx.Response:
    return call("POST", "/v1/search", json=body)


def assert_problem(answer: httpx.Response, status: int) -> str:
    """Check that the answer is problem JSON; return its detail."""
    problem = answer.json()
    assert answer.status_code == status == problem["status"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == "about:blank"
    assert problem["title"]
    return str(problem["detail"])


def test_a_search_answers_with_ranked_hits() -> None:
    answer = search(query="  statins  ", k=2)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["query"], body["version"], body["reranked"]) == ("statins", "v1", True)
    assert [(h["rank"], h["id"], h["score_kind"]) for h in body["hits"]] == [(1, "2", "logit"), (2, "1", "logit")]


def test_the_filters_of_a_request_are_those_of_the_command_line() -> None:
    shelf, text = Shelf([1]), 'year>=2020 and type in ("Review", "Letter")'
    service = joined(shelf)
    filters = [
        {"field": "year", "op": ">=", "value": 2020},
        {"field": "type", "op": "in", "value": ["Review", "Letter"]},
    ]
    body = {"query": "q", "filters": filters, "include_retracted": True}
    assert call("POST", "/v1/search", service, json=body).status_code == 200
    assert shelf.wanted == [Wanted(parse_filter(text), retracted=True)]


@pytest.mark.parametrize("id_", ["10.1000/x.y", "10.1000%2Fx.y", "https://doi.org/10.1000/x.y"])
def test_an_id_may_have_slashes(id_: str) -> None:
    service = joined(Shelf([7, 8], {7: id_.replace("%2F", "/")}))
    assert call("GET", f"/v1/articles/{id_}", service).json()["title"] == "Title 7"
    assert [hit["title"] for hit in call("GET", f"/v1/similar/{id_}?k=5", service).json()["hits"]] == ["Title 8"]


def test_a_request_may_come_as_gzip() -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    packed = gzip.compress(b'{"query": "statins", "k": 2}')
    assert len(call("POST", "/v1/search", content=packed, headers=headers).json()["hits"]) == 2
    broken = call("POST", "/v1/search", content=packed[:-1], headers=headers)
    assert assert_problem(broken, 400).startswith("body: no whole gzip")
    bomb = gzip.compress(b" " * (MAX_BODY_BYTES + 1))
    assert str(MAX_BODY_BYTES) in assert_problem(call("POST", "/v1/search", content=bomb, headers=headers), 413)


def test_an_article_of_a_blank_id_is_not_found() -> None:
    for path in ("/v1/similar/%20", "/v1/articles/%20"):
        assert assert_problem(call("GET", path), 404) == "article ' ': version v1 has none of this id"


def test_an_article_comes_with_its_vector_where_that_is_asked_for() -> None:
    assert call("GET", "/v1/articles/3?vector=true").json()["vector"] == [3.0]
    assert "vector" not in call("GET", "/v1/articles/3").json()
    assert assert_problem(call("GET", "/v1/articles/3?vector=perhaps"), 422).startswith("vector: ")


def test_vectors_come_in_the_order_of_their_ids_and_null_where_there_is_none() -> None:
    answer = call("POST", "/v1/vectors", json={"ids": ["2", "7", "3", "2"]})
    assert answer.json() == {
        "version": "v1",
        "encoder": "tiny",
        "dimension": 1,
        "vectors": [[2.0], None, [3.0], [2.0]],
    }


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"ids": []}, "ids: give at least 1 items"),
        ({"ids": ["1"] * (MAX_VECTORS + 1)}, "ids: give at most 1000 items"),
        ({"ids": [1]}, "ids.0: give text"),
        ({"ids": ["x" * 1001]}, "ids.0: text should have at most 1000 characters"),
    ],
)
def test_vectors_of_too_many_or_none_are_refused(body: dict[str, Any], named: str) -> None:
    assert assert_problem(call("POST", "/v1/vectors", json=body), 422).startswith(named)


def test_groups_of_conditions_are_those_of_the_command_line() -> None:
    shelf = Shelf([1])
    filters = [
        {"any": [{"field": "pmid", "op": "in", "value": [1, 2]}, {"field": "year", "op": "=", "value": 2020}]},
        {"field": "date", "op": ">=", "value": "2024-03"},
    ]
    assert call("POST", "/v1/search", joined(shelf), json={"query": "q", "filters": filters}).status_code == 200
    assert shelf.wanted == [Wanted(parse_filter("(pmid in (1, 2) or year=2020) and date>=2024-03"))]


def test_a_list_of_many_pmids_fits() -> None:
    shelf, pmids = Shelf([1]), [*range(10**8, 10**8 + MAX_PMIDS)]
    body = {"query": "q", "filters": [{"field": "pmid", "op": "not in", "value": pmids}]}
    assert call("POST", "/v1/search", joined(shelf), json=body).status_code == 200


@pytest.mark.parametrize(
    ("filters", "named"),
    [
        ([{"any": [{"field": "year", "op": ">", "value": [1]}]}], "filters.0.any.0: > takes one value"),
        ([{"all": [{"any": [{"feld": "year"}]}]}], "filters.0.all.0.any.0.field: field required"),
        ([{"any": [], "of": 1}], "filters.0.any: give at least 1 items"),
        ([{"any": [{"field": "year", "op": "=", "value": 1}] * 17}], "filters.0.any: give at most 16 items"),
    ],
)
def test_what_is_wrong_in_a_group_is_told_by_its_place(filters: list[object], named: str) -> None:
    assert assert_problem(search(query="q", filters=filters), 422).startswith(named)


def test_the_version_is_told() -> None:
    answer = call("GET", "/version")
    assert (answer.status_code, answer.json()["version"], answer.json()["articles"]) == (200, "v1", 6)


def test_the_version_is_the_newest_that_the_searchers_have_though_nobody_has_searched() -> None:
    versions = ServedVersions(VERSION)
    service = SearchService(versions, Lengths(), Shelf([1]), None)
    versions.propose(VERSION.model_copy(update={"id": "v2"}))
    assert call("GET", "/version", service).json()["version"] == "v2"


def test_a_searcher_that_does_not_answer_keeps_the_version_from_nobody() -> None:
    service = SearchService(ServedVersions(VERSION), Lengths(), Silent([1]), None)
    assert call("GET", "/version", service).json()["version"] == "v1"


def test_health_is_told() -> None:
    assert (call("GET", "/healthz").status_code, call("GET", "/healthz").json()) == (200, {"status": "ok"})
    assert call("GET", "/health").json()["unix"] > 1_700_000_000


@pytest.mark.parametrize("path", ["/health", "/healthz", "/readyz", "/version"])
def test_a_probe_may_ask_for_the_headers_alone(path: str) -> None:
    assert call("HEAD", path).status_code == call("GET", path).status_code == 200
    assert sorted(assert_allowed(call("DELETE", path))) == ["GET", "HEAD"]
    assert call("GET", "/openapi.json").json()["paths"][path].keys() == {"get"}


def assert_allowed(answer: httpx.Response) -> list[str]:
    assert_problem(answer, 405)
    return answer.headers["allow"].split(", ")


def test_the_api_describes_itself() -> None:
    schema = call("GET", "/openapi.json").json()
    searches = {"/v1/search", "/v1/articles/{id}", "/v1/similar/{id}", "/v1/vectors"}
    vectors = {"/v1/models", "/v1/models/{id}", "/info", "/v1/embeddings", "/embeddings", "/embed", "/v2/embed"}
    scores = {"/v1/rerank", "/v2/rerank", "/rerank", "/v1/score", "/score"}
    assert set(schema["paths"]) == searches | vectors | scores | {"/version", "/health", "/healthz", "/readyz"}
    answers = {"200", "400", "401", "404", "413", "422", "429", "500", "503", "504"}
    assert set(schema["paths"]["/v1/search"]["post"]["responses"]) == answers
    request = schema["components"]["schemas"]["SearchRequest"]["properties"]
    assert request["filters"]["examples"] == [[{"field": "year", "op": ">=", "value": 2020}]]
    condition = schema["components"]["schemas"]["Condition"]["properties"]
    assert condition["field"]["enum"] == [*get_args(FilterField)]
    assert condition["op"]["enum"] == [*get_args(Operator)]
    parameters = {one["name"]: one for one in schema["paths"]["/v1/similar/{id}"]["get"]["parameters"]}
    assert parameters.keys() == {"id", "k", "offset", "filter", "include_retracted", "fields", "highlight"}
    assert parameters["filter"]["schema"]["items"] == {"type": "string"}


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_no_page_has_scripts_from_another_host(path: str) -> None:
    assert_problem(call("GET", path), 404)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"query": ""}, "query: "),
        ({"query": " \n\t"}, "query: "),
        ({"query": "x" * (MAX_QUERY_CHARS + 1)}, "query: "),
        ({"query": 7}, "query: "),
        ({}, "query: field required"),
        ({"query": "x", "k": 0}, "k: "),
        ({"query": "x", "k": 10_000}, "k: "),
        ({"query": "x", "k": "many"}, "k: "),
        ({"query": "x", "candidates": 0}, "candidates: "),
        ({"query": "x", "filter": "year>2000"}, "filter: unknown; the nearest known field is 'filters'"),
        ({"query": "x", "filters": "year>"}, "filters: end: expected a value"),
        ({"query": "x", "top_k": 3}, "top_k: unknown; the nearest known field is 'k'"),
        ({"query": "x", "filters": [{"field": "year", "op": ">", "value": [1]}]}, "filters.0: > takes one value"),
        ({"query": "x", "filters": [{"field": "abstract", "op": "=", "value": 1}]}, "filters.0: abstract takes yes or"),
        ({"query": "x", "filters": [{"feld": "year", "op": ">", "value": 1}]}, "filters.0.field: field required"),
        ({"query": "\0\a"}, "query: no printable character in it"),
        ({"query": ["x", "\u200b"]}, "query: no printable character in it"),
    ],
    ids=str,
)
def test_a_wrong_field_is_refused_by_name(body: dict[str, Any], named: str) -> None:
    detail = assert_problem(search(**body), 422)
    assert detail.startswith(named)
    assert len(detail) < 200  # the value is not echoed


def test_every_wrong_field_is_named() -> None:
    detail = assert_problem(search(query="", k=0), 422)
    assert "query: " in detail
    assert "k: " in detail


@pytest.mark.parametrize("body", [b"statins", b'{"query": ', b"\xff\xfe", b"", b"[]"])
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    answer = call("POST", "/v1/search", content=body, headers={"content-type": "application/json"})
    assert_problem(answer, 422)


def body_of(size: int) -> bytes:
    start, end = b'{"query": "x', b'"}'
    return start + b" " * (size - len(start) - len(end)) + end


async def chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 4096):
        yield body[start : start + 4096]


@pytest.mark.parametrize("framing", ["content-length", "chunked"])
def test_a_body_beyond_the_limit_is_refused(framing: str) -> None:
    body = body_of(MAX_BODY_BYTES + 1)
    answer = call("POST", "/v1/search", content=body if framing == "content-length" else chunks(body))
    assert ("content-length" in answer.request.headers) == (framing == "content-length")
    assert str(MAX_BODY_BYTES) in assert_problem(answer, 413)


@pytest.mark.parametrize("framing", ["content-length", "chunked"])
def test_a_body_within_the_limit_is_read(framing: str) -> None:
    body = body_of(MAX_QUERY_CHARS)
    content = body if framing == "content-length" else chunks(body)
    answer = call("POST", "/v1/search", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 200


def test_the_longest_query_fits_however_it_is_escaped_and_the_longest_filters() -> None:
    condition = {"field": "mesh", "op": "not in", "value": ["x" * MAX_TERM_CHARS] * MAX_VALUES}
    body = json.dumps({"query": "é" * MAX_QUERY_CHARS, "k": 1, "filters": [condition] * MAX_CONDITIONS}).encode()
    assert len(body) + 6 * MAX_QUERY_CHARS < MAX_BODY_BYTES  # and a task
    assert call("POST", "/v1/search", content=body, headers={"content-type": "application/json"}).status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v2/search", 404), ("GET", "/v1/search", 405)])
def test_what_does_not_exist_is_refused_as_every_other_error(method: str, path: str, status: int) -> None:
    assert_problem(call(method, path), status)


def test_a_task_that_the_encoder_does_not_take_is_refused() -> None:
    assert assert_problem(search(query="q", task="cite"), 422) == "task 'cite': tiny takes no task; leave it out"


def described(front: Front | None = None) -> dict[str, Any]:
    return create_app(joined(Shelf([1])), SECONDS, front).openapi()


def test_an_error_is_described_as_a_problem() -> None:
    schema = described()
    assert set(schema["components"]["schemas"]["Problem"]["properties"]) >= {"title", "status", "detail", "request_id"}
    answer = schema["paths"]["/v1/search"]["post"]["responses"]["422"]
    assert [*answer["content"]] == ["application/problem+json"]
    assert "HTTPValidationError" not in str(schema)


def test_a_key_is_described_only_where_one_is_needed() -> None:
    assert "security" not in described()
    schema = described(Front(frozenset({"0" * 64})))
    assert schema["security"] == [{"bearer": []}, {"key": []}]
    assert set(schema["components"]["securitySchemes"]) == {"bearer", "key"}
    assert schema["paths"]["/healthz"]["get"]["security"] == []
    assert "security" not in schema["paths"]["/version"]["get"]

import gzip

import pytest

from actors.search.served_versions import ServedVersions
from actors.service.search_service import SearchService
from actors.service.second_stage import Reranking
from actors.web.api import create_app
from schemas.protocols import Reranker
from tests.support.service.seams import SECONDS, VERSION, Gone, Lengths, Shelf, Slow, joined
from tests.support.service.serving import ask

NOT_UTF8 = "body: not UTF-8; send JSON, if compressed as gzip and with `content-encoding: gzip`"
APP = create_app(joined(Shelf([1])), SECONDS)


def test_a_field_whose_name_is_half_a_character_is_a_problem_as_any_other() -> None:
    body = b'{"query": "x", "\\ud800": 1}'
    answer = ask(APP, "POST", "/v1/search", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b'{"query": "\\ud800"}', "query: half a character"),
        (b'{"query": ["x", "\\udc00\\ud83d"]}', "query: half a character"),
        (b'{"query": "x", "task": "\\ud800"}', "task: "),
        (
            b'{"query": "x", "filters": [{"field": "mesh", "op": "=", "value": "\\ud800"}]}',
            "filters.0: mesh takes text",
        ),
    ],
)
def test_half_a_character_is_refused_before_a_model_gets_it_with_the_texts_of_others(body: bytes, named: str) -> None:
    answer = ask(APP, "POST", "/v1/search", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["detail"][: len(named)]) == (422, named)


def post(body: bytes, path: str = "/v1/search", **headers: str) -> tuple[int, str]:
    answer = ask(APP, "POST", path, content=body, headers={"content-type": "application/json"} | headers)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"{bad", 422, "body: not JSON at character 2"),
        (b"", 422, "body: field required"),
        (b"[]", 422, "body: give an object, as {…}"),
        (b'{"query": "x", "filters": [3]}', 422, "filters.0: give an object, as {…}"),
        (b'{"query": "x", "filters": 3}', 422, "filters: give a list"),
        (b"\xff", 400, NOT_UTF8),
        (
            gzip.compress(b'{"query": "x"}', mtime=0),
            400,
            "body: not UTF-8; send JSON, if compressed as gzip and with `content-encoding: gzip`",
        ),
        (b"[" * 100_000, 400, "body: JSON that is nested too deeply"),
        (b"9" * 10_000, 400, "body: JSON with a number that is too long"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_body_that_is_no_request_is_told_why(body: bytes, status: int, detail: str) -> None:
    assert post(body) == (status, detail)
    assert post(body, "/v1/rerank")[1] == detail or b"query" in body


@pytest.mark.parametrize("path", ["/v1/search", "/v1/embeddings"])
def test_a_body_of_another_type_is_told_which_to_name(path: str) -> None:
    named = {"content-type": "application/x-www-form-urlencoded"}
    assert post(b'{"query": "x"}', path, **named)[1] == "body: send `content-type: application/json`"
    answer = ask(APP, "POST", path, content=b'{"query": "x"}')
    assert answer.json()["detail"] == "body: send `content-type: application/json`"


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"query": "x", "k": ' + b"9" * 10_000 + b"}"])
def test_a_body_that_no_parser_takes_is_the_clients_fault(body: bytes) -> None:
    answer = ask(APP, "POST", "/v1/search", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_wrong_method_names_the_right_ones() -> None:
    answer = ask(APP, "PUT", "/v1/search")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_only_openais_routes_have_errors_in_openais_form_too() -> None:
    assert "error" not in ask(APP, "POST", "/v1/search", json={}).json()
    assert ask(APP, "POST", "/v1/embeddings", json={}).json()["error"]["code"] == "bad_request"
    assert ask(APP, "GET", "/v1/models/gpt").json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("reranker", "status", "detail"),
    [
        (Gone(), 503, "the reranker does not answer; try again"),
        (Slow(), 504, "the re-ranker took more than 0.01 s; try again"),
    ],
)
def test_a_search_that_may_not_do_without_its_reranker_fails_as_it_does(
    reranker: Reranker, status: int, detail: str
) -> None:
    ranking = Reranking(reranker, "favours", "logit", 3, seconds=0.01, degrade=False)
    app = create_app(SearchService(ServedVersions(VERSION), Lengths(), Shelf([1]), ranking), SECONDS)
    answer = ask(app, "POST", "/v1/search", json={"query": "x"})
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["detail"]) == (status, status, detail)
    assert (answer.headers["content-type"], answer.headers["retry-after"]) == ("application/problem+json", "1")
    assert ask(app, "POST", "/v1/search", json={"query": "x", "rerank": False}).status_code == 200

import pytest

from actors.api import create_app
from actors.ranking import Ranking
from actors.service import SearchService
from actors.versions import Versions
from schemas.protocols import Reranker
from tests.unit.actors.seams import SECONDS, VERSION, Gone, Lengths, Shelf, Slow, joined
from tests.unit.actors.serving import ask

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


def test_a_long_name_of_a_field_is_not_echoed() -> None:
    answer = ask(APP, "POST", "/v1/search", json={"query": "x", "y" * 10_000: 1})
    assert len(answer.json()["detail"]) < 100


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
    ranking = Ranking(reranker, "favours", "logit", 3, seconds=0.01, degrade=False)
    app = create_app(SearchService(Versions(VERSION), Lengths(), Shelf([1]), ranking), SECONDS)
    answer = ask(app, "POST", "/v1/search", json={"query": "x"})
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["detail"]) == (status, status, detail)
    assert (answer.headers["content-type"], answer.headers["retry-after"]) == ("application/problem+json", "1")
    assert ask(app, "POST", "/v1/search", json={"query": "x", "rerank": False}).status_code == 200

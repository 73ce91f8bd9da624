"""The routes as plain HTTP has them; real clients are in tests/e2e/test_clients.py."""

from typing import Any

import httpx
import pytest

from actors.service.search_service import SearchService
from actors.web.api import create_app
from actors.web.middleware.limits import MAX_TEXTS_BYTES
from schemas.compatible import MAX_DOCUMENTS
from tests.support.service.seams import SECONDS, Favours, Shelf, joined
from tests.support.service.serving import ask

SERVICE = joined(Shelf([1]), Favours({1: 4.0, 2: -4.0}))


def post(path: str, service: SearchService = SERVICE, **body: Any) -> httpx.Response:
    return ask(create_app(service, SECONDS), "POST", path, json=body)


def refusal(path: str, **body: Any) -> str:
    answer = post(path, **body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    return str(answer.json()["detail"])


def test_vectors_come_in_openais_form() -> None:
    assert post("/v1/embeddings", model="tiny:query", input=["abc", " de "], user="me").json() == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [3.0]},
            {"object": "embedding", "index": 1, "embedding": [2.0]},
        ],
        "model": "tiny:query",
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }


def test_one_text_needs_no_list() -> None:
    [one] = post("/v1/embeddings", model="tiny:query", input="abc", encoding_format="base64").json()["data"]
    assert one["embedding"] == "AABAQA=="


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"model": "tiny:query", "input": [1, 2]}, "input: token ids are of another model's vocabulary; send the text"),
        ({"model": "tiny:query", "input": ["x", " "]}, "input: at 1: give text of 1 to 100000 characters"),
        ({"model": "other:query", "input": "x"}, "model 'other:query': there are 'tiny:query' and 'tiny:article'"),
    ],
)
def test_a_wrong_embeddings_request_is_refused_in_openais_form_too(body: dict[str, Any], named: str) -> None:
    answer = post("/v1/embeddings", **body)
    assert answer.status_code == 400
    problem = answer.json()
    assert problem["detail"].startswith(named)
    assert problem["error"] == {"message": problem["detail"], "type": "bad_request", "code": "bad_request"}


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/v1/embeddings", b'{"model": "tiny:query", "input": ["x", "\\ud800"]}', "input: at 1: half a character"),
        ("/v1/rerank", b'{"query": "q", "documents": ["x", {"text": "\\ud800"}]}', "documents: at 1: half a character"),
        ("/rerank", b'{"query": "\\ud800", "texts": ["x"]}', "query: half a character"),
    ],
)
def test_half_a_character_is_refused_where_it_is(path: str, body: bytes, named: str) -> None:
    answer = ask(create_app(SERVICE, SECONDS), "POST", path, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["detail"].startswith(named)) == (400, True)


def test_reranked_documents_come_in_coheres_form() -> None:
    documents = ["a", {"text": "b", "id": 7}, "c"]
    answer = post("/v1/rerank", query="q", documents=documents, top_n=2, model="favours", max_tokens_per_doc=10).json()
    assert answer.pop("id")
    assert answer == {
        "model": "favours",
        "results": [
            {"index": 1, "relevance_score": pytest.approx(0.8808, abs=1e-4)},
            {"index": 0, "relevance_score": 0.5},
        ],
    }
    documents = post("/v1/rerank", query="q", documents=documents, return_documents=True).json()["results"]
    assert [result["document"]["text"] for result in documents] == ["b", "a", "c"]


def test_the_answers_id_is_that_of_the_request() -> None:
    headers = {"x-request-id": "mine-7"}
    body = {"query": "q", "documents": ["a"]}
    assert ask(create_app(SERVICE, SECONDS), "POST", "/v1/rerank", json=body, headers=headers).json()["id"] == "mine-7"


def test_ranked_texts_come_in_teis_form() -> None:
    ranks = post("/rerank", query="q", texts=["a", "b", "c"], truncate=True, truncation_direction="Right").json()
    assert [rank["index"] for rank in ranks] == [1, 0, 2]
    assert [set(rank) for rank in ranks] == [{"index", "score"}] * 3
    assert all(0 < rank["score"] < 1 for rank in ranks)
    assert post("/rerank", query="q", texts=["a", "b"], raw_scores=True, return_text=True).json() == [
        {"index": 1, "score": 2.0, "text": "b"},
        {"index": 0, "score": 0.0, "text": "a"},
    ]


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/v1/rerank", {"query": "q", "documents": []}, "documents: give a list of 1 to 1000 texts"),
        ("/v1/rerank", {"query": "q", "documents": ["x"], "model": "m"}, "model 'm': there is 'favours'"),
        ("/rerank", {"query": "q", "texts": "x"}, "texts: give a list of 1 to 1000 texts"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_rerank_request_is_refused(path: str, body: dict[str, Any], named: str) -> None:
    assert refusal(path, **body).startswith(named)


@pytest.mark.parametrize(
    ("path", "body"), [("/v1/rerank", {"query": "q", "documents": ["x"]}), ("/rerank", {"query": "q", "texts": ["x"]})]
)
def test_without_a_reranker_there_is_no_such_resource(path: str, body: dict[str, Any]) -> None:
    answer = post(path, joined(Shelf([1])), **body)
    assert answer.status_code == 404
    assert "no re-ranker is configured" in answer.json()["detail"]


def test_a_body_of_many_long_texts_is_read() -> None:
    text = "x" * (MAX_TEXTS_BYTES // MAX_DOCUMENTS - 10)
    assert post("/rerank", query="q", texts=[text] * MAX_DOCUMENTS).status_code == 200
    assert post("/rerank", query="q", texts=[text + "x" * 10] * MAX_DOCUMENTS).status_code == 413

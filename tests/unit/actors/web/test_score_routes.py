"""Scores as plain HTTP has them; real clients are in tests/e2e/."""

from typing import Any

import pytest

from actors.web.api import create_app
from actors.web.middleware.limits import MAX_TEXTS_BYTES
from schemas.compatible_texts import MAX_DOCUMENTS
from tests.support.service.compatible_calls import SERVICE, post, refusal
from tests.support.service.seams import SECONDS, Shelf, joined
from tests.support.service.serving import ask


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
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
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


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank", "/rerank"])
def test_documents_are_ranked_wherever_they_are_sent_with_options_that_are_null(path: str) -> None:
    body: dict[str, Any] = {
        "query": "q",
        "documents": ["a", "b c"],
        "model": None,
        "top_n": None,
        "return_documents": None,
    }
    answer = post(path, **body).json()
    assert [result["index"] for result in answer["results"]] == [1, 0]
    assert [{*result} for result in answer["results"]] == [{"index", "relevance_score"}] * 2
    assert answer["usage"] == {"prompt_tokens": 4, "total_tokens": 4}


def test_texts_are_ranked_with_options_that_are_null() -> None:
    ranks = post("/rerank", query="q", texts=["a", "b"], raw_scores=None, return_text=None, truncation_direction=None)
    assert [{*rank} for rank in ranks.json()] == [{"index", "score"}] * 2


@pytest.mark.parametrize("body", [{}, {"texts": ["a"], "documents": ["a"]}, {"texts": None, "documents": None}])
def test_documents_and_texts_together_or_neither_are_refused(body: dict[str, Any]) -> None:
    whose = "body: give either `documents` (as to Jina, Cohere, vLLM, infinity) or `texts` (as to TEI)"
    assert refusal("/rerank", query="q", **body) == whose


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"query": " ", "documents": ["a"]}, "query: give text of 1 to 10000 characters that is not blank"),
        ({"query": "q", "documents": "a"}, "documents: give a list of 1 to 1000 texts"),
        ({"documents": ["a"]}, "query: field required"),
        ({"query": "q", "texts": [None]}, "texts: at 0: give text of 1 to 100000 characters that is not blank"),
    ],
)
def test_what_is_wrong_on_the_shared_route_is_refused_by_its_field(body: dict[str, Any], named: str) -> None:
    assert refusal("/rerank", **body) == named


@pytest.mark.parametrize("path", ["/v1/score", "/score"])
def test_pairs_are_scored_in_vllms_form(path: str) -> None:
    answer = post(path, model="favours", text_1="q", text_2=["a", "b", "c"]).json()
    assert (answer.pop("id") != "", answer.pop("created") > 1_700_000_000) == (True, True)
    assert answer == {
        "object": "list",
        "model": "favours",
        "data": [
            {"index": 0, "object": "score", "score": 0.5},
            {"index": 1, "object": "score", "score": pytest.approx(0.8808, abs=1e-4)},
            {"index": 2, "object": "score", "score": pytest.approx(0.1192, abs=1e-4)},
        ],
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    }
    assert refusal(path, text_1=["q", "r"], text_2="a").startswith("body: text_1 has 2 texts and text_2 1")
    assert refusal(path, model="m", text_1="q", text_2="a").startswith("model 'm': there is 'favours'")


def test_a_body_of_many_long_texts_is_read() -> None:
    text = "x" * (MAX_TEXTS_BYTES // MAX_DOCUMENTS - 10)
    assert post("/rerank", query="q", texts=[text] * MAX_DOCUMENTS).status_code == 200
    assert post("/rerank", query="q", texts=[text + "x" * 10] * MAX_DOCUMENTS).status_code == 413

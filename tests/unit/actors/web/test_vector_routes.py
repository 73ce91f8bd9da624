"""Vectors as plain HTTP has them; real clients are in tests/e2e/."""

from typing import Any

import numpy as np
import pytest

from actors.web.api import create_app
from actors.web.vector_routes import of_length_1
from schemas.compatible_texts import MAX_INPUTS
from tests.support.service.compatible_calls import SERVICE, post, refusal
from tests.support.service.seams import SECONDS
from tests.support.service.serving import ask


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
    ("model", "more", "named"),
    [
        (None, {}, "tiny:query"),
        ("tiny", {}, "tiny:query"),
        ("tiny", {"task": "retrieval.passage"}, "tiny:article"),
        ("tiny:query", {"task": "retrieval.passage"}, "tiny:query"),
    ],
)
def test_a_plain_name_or_none_is_the_tower_that_the_request_is_for(
    model: str | None, more: dict[str, Any], named: str
) -> None:
    answer = post("/embeddings", model=model, input="abc", encoding_format=None, dimensions=None, **more).json()
    assert (answer["model"], answer["data"][0]["embedding"]) == (named, [3.0 if named == "tiny:query" else -3.0])


def test_an_error_of_infinitys_route_has_openais_form_too() -> None:
    assert post("/embeddings", model="gpt", input="x").json()["error"]["type"] == "bad_request"


def test_vectors_come_in_teis_form_of_length_1_unless_that_is_not_wanted() -> None:
    assert post("/embed", inputs="abc").json() == [[1.0]]
    assert post("/embed", inputs=["abc", "de"], normalize=None, truncate=None).json() == [[1.0], [1.0]]
    assert post("/embed", inputs=["abc", "de"], normalize=False, truncate=True).json() == [[3.0], [2.0]]
    assert post("/embed", inputs="abc", normalize=False, prompt_name="document").json() == [[-3.0]]
    assert refusal("/embed", inputs="abc", dimensions=2).startswith("dimensions 2: vectors have 1")


def test_a_vector_of_zeros_has_no_length_to_be_cut_to() -> None:
    assert of_length_1(np.zeros(2, np.float32)).tolist() == [0, 0]
    assert of_length_1(np.array([3, 4], np.float32)).tolist() == pytest.approx([0.6, 0.8])


def test_vectors_come_in_coheres_form() -> None:
    answer = post("/v2/embed", model="tiny", texts=["abc", " de"], input_type="search_query", truncate="END").json()
    assert answer.pop("id")
    assert answer == {
        "embeddings": {"float": [[3.0], [2.0]]},
        "texts": ["abc", "de"],
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 2}, "tokens": {"input_tokens": 2}},
    }
    body: dict[str, Any] = {
        "model": "tiny",
        "texts": ["abc"],
        "input_type": "search_document",
        "embedding_types": ["base64", "float"],
    }
    assert post("/v2/embed", **body).json()["embeddings"] == {"base64": ["AABAwA=="], "float": [[-3.0]]}
    assert (
        refusal("/v2/embed", **body | {"embedding_types": ["int8"]})
        == "embedding_types.0: input should be 'float' or 'base64'"
    )
    assert refusal("/v2/embed", **body | {"output_dimension": 2}).startswith("dimensions 2: vectors have 1")


def test_the_encoder_is_told_in_teis_form() -> None:
    assert ask(create_app(SERVICE, SECONDS), "GET", "/info").json() == {
        "model_id": "tiny",
        "model_sha": None,
        "model_dtype": "float32",
        "model_type": {"embedding": {"pooling": "cls"}},
        "max_input_length": 8,
        "max_client_batch_size": MAX_INPUTS,
        "auto_truncate": True,
        "version": "v1",
    }

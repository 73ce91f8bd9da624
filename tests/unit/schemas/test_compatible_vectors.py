"""What clients of other services may send for vectors; the answers are in actors/web/test_vector_routes.py."""

from typing import Any

import pytest
from pydantic import BaseModel

from schemas.compatible_texts import MAX_INPUTS, MAX_TEXT_CHARS
from schemas.compatible_vectors import CohereEmbedRequest, EmbeddingsRequest, Purpose, TeiEmbedRequest, tower_for
from tests.support.service.compatible_calls import wrong


def embeddings(texts: object) -> dict[str, object]:
    return {"model": "tiny:query", "input": texts}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("  x\n", ("x",)),
        (["x ", " y\nz"], ("x", "y\nz")),
        (["x"] * MAX_INPUTS, ("x",) * MAX_INPUTS),
        ([" " + "x" * MAX_TEXT_CHARS], ("x" * MAX_TEXT_CHARS,)),
    ],
    ids=["one", "several", "most", "longest"],
)
def test_one_text_or_a_list_of_them_is_read_without_blanks_at_the_ends(given: object, read: tuple[str, ...]) -> None:
    assert EmbeddingsRequest.model_validate(embeddings(given)).input == read


@pytest.mark.parametrize(
    ("purpose", "tower"),
    [
        (None, "query"),
        ("query", "query"),
        ("search_query", "query"),
        ("retrieval.query", "query"),
        ("document", "article"),
        ("search_document", "article"),
        ("retrieval.passage", "article"),
        ("clustering", "article"),
    ],
)
def test_a_purpose_has_its_tower(purpose: Purpose | None, tower: str) -> None:
    assert tower_for(purpose) == tower


TOO_LONG = "x" * (MAX_TEXT_CHARS + 1)
TEXT = "give text of 1 to 100000 characters that is not blank"
LIST = "give a list of 1 to 2048 texts"
TOKENS = "token ids are of another model's vocabulary; send the text itself (with LangChain: check_embedding"
HALF = "half a character (a lone surrogate) in it; send whole ones"


@pytest.mark.parametrize(
    ("kind", "body", "field", "message"),
    [
        (EmbeddingsRequest, {"model": "tiny:query"}, "input", "Field required"),
        (EmbeddingsRequest, embeddings([]), "input", LIST),
        (EmbeddingsRequest, embeddings(["x"] * (MAX_INPUTS + 1)), "input", LIST),
        (EmbeddingsRequest, embeddings({"text": "x"}), "input", LIST),
        (EmbeddingsRequest, embeddings(" "), "input", TEXT),
        (EmbeddingsRequest, embeddings(TOO_LONG), "input", TEXT),
        (EmbeddingsRequest, embeddings(["x", " "]), "input", f"at 1: {TEXT}"),
        (EmbeddingsRequest, embeddings(["x", TOO_LONG, "y"]), "input", f"at 1: {TEXT}"),
        (EmbeddingsRequest, embeddings(["x", "y", None]), "input", f"at 2: {TEXT}"),
        (EmbeddingsRequest, embeddings(["x", "\0"]), "input", "at 1: no printable character in it; send text"),
        (EmbeddingsRequest, embeddings(["x", "\ud800"]), "input", f"at 1: {HALF}"),
        (EmbeddingsRequest, embeddings([1, 2]), "input", TOKENS),
        (EmbeddingsRequest, embeddings([[1, 2], [3]]), "input", TOKENS),
        (EmbeddingsRequest, embeddings(["text", 1]), "input", TOKENS),
        (EmbeddingsRequest, embeddings("x") | {"encoding_format": "int8"}, "encoding_format", "Input should be"),
        (EmbeddingsRequest, embeddings("x") | {"task": "cite"}, "task", "Input should be 'query', 'search_query'"),
        (TeiEmbedRequest, {"inputs": []}, "inputs", LIST),
        (TeiEmbedRequest, {"inputs": [[1, 2]]}, "inputs", TOKENS),
        (TeiEmbedRequest, {"inputs": "x", "prompt_name": "s2s"}, "prompt_name", "Input should be"),
        (TeiEmbedRequest, {"inputs": "x", "truncation_direction": "Left"}, "truncation_direction", "Input should be"),
        (CohereEmbedRequest, {"images": ["x"]}, "texts", "Field required"),
        (CohereEmbedRequest, {"texts": ["x"], "input_type": "image"}, "input_type", "Input should be"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_is_refused_by_field_and_place(
    kind: type[BaseModel], body: dict[str, Any], field: str, message: str
) -> None:
    place, told = wrong(kind, body)
    assert (place, told[: len(message)]) == ((field,), message)

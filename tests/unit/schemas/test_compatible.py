"""What clients of other services may send; the forms of the answers are in actors/web/test_compatible_routes.py."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from schemas.compatible import (
    MAX_DOCUMENTS,
    MAX_INPUTS,
    MAX_TEXT_CHARS,
    EmbeddingsRequest,
    RerankRequest,
    TeiRerankRequest,
)


def embeddings(texts: object) -> dict[str, object]:
    return {"model": "tiny:query", "input": texts}


def documents(given: object) -> dict[str, object]:
    return {"query": "q", "documents": given}


def texts(given: object) -> dict[str, object]:
    return {"query": "q", "texts": given}


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


def test_documents_are_texts_or_objects_with_a_text() -> None:
    request = RerankRequest.model_validate(documents(["a", {"text": " b ", "id": 7}] * (MAX_DOCUMENTS // 2)))
    assert request.documents == ("a", "b") * (MAX_DOCUMENTS // 2)


@pytest.mark.parametrize(
    ("kind", "body"),
    [(EmbeddingsRequest, embeddings("x")), (RerankRequest, documents(["x"])), (TeiRerankRequest, texts(["x"]))],
)
def test_fields_that_are_not_known_are_ignored(kind: type[BaseModel], body: dict[str, object]) -> None:
    assert kind.model_validate(body | {"user": "me"}) == kind.model_validate(body)


@pytest.mark.parametrize("case", ["right", "Right", "RIGHT"])
def test_a_direction_is_read_whatever_its_case(case: str) -> None:
    assert (
        TeiRerankRequest.model_validate(texts(["x"]) | {"truncation_direction": case}).truncation_direction == "right"
    )


TOO_LONG = "x" * (MAX_TEXT_CHARS + 1)
TEXT = "give text of 1 to 100000 characters that is not blank"
LIST = "give a list of 1 to 2048 texts"
TOKENS = "token ids are of another model's vocabulary; send the text itself (with LangChain: check_embedding"
HALF = "half a character (a lone surrogate) in it; send whole ones"


@pytest.mark.parametrize(
    ("kind", "body", "field", "message"),
    [
        (EmbeddingsRequest, {"input": "x"}, "model", "Field required"),
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
        (RerankRequest, documents([]), "documents", "give a list of 1 to 1000 texts"),
        (RerankRequest, documents(["x"] * (MAX_DOCUMENTS + 1)), "documents", "give a list of 1 to 1000 texts"),
        (RerankRequest, documents("x"), "documents", "give a list of 1 to 1000 texts"),
        (RerankRequest, documents(["x", {"title": "x"}]), "documents", f"at 1: {TEXT}"),
        (RerankRequest, documents(["x", {"text": "\ud800"}]), "documents", f"at 1: {HALF}"),
        (RerankRequest, documents(["x"]) | {"query": " "}, "query", "give text of 1 to 10000 characters"),
        (RerankRequest, documents(["x"]) | {"query": "x" * 10_001}, "query", "give text of 1 to 10000 characters"),
        (RerankRequest, documents(["x"]) | {"top_n": 0}, "top_n", "Input should be greater"),
        (TeiRerankRequest, texts("x"), "texts", "give a list of 1 to 1000 texts"),
        (TeiRerankRequest, texts([{"text": "x"}]), "texts", f"at 0: {TEXT}"),
        (TeiRerankRequest, texts(["x"]) | {"query": "\ud800"}, "query", HALF),
        (TeiRerankRequest, texts(["x"]) | {"truncation_direction": "Left"}, "truncation_direction", "Input should be"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_is_refused_by_field_and_place(
    kind: type[BaseModel], body: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(body)
    [error] = caught.value.errors()
    assert error["loc"] == (field,)
    assert error["msg"].startswith(message)

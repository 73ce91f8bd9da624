"""What clients of other services may send for scores; the answers are in actors/web/test_score_routes.py."""

from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from schemas.compatible_scores import AnyRerankRequest, RerankRequest, ScoreRequest, TeiRerankRequest
from schemas.compatible_texts import MAX_DOCUMENTS
from tests.support.service.compatible_calls import wrong


def documents(given: object) -> dict[str, object]:
    return {"query": "q", "documents": given}


def texts(given: object) -> dict[str, object]:
    return {"query": "q", "texts": given}


def test_documents_are_texts_or_objects_with_a_text() -> None:
    request = RerankRequest.model_validate(documents(["a", {"text": " b ", "id": 7}] * (MAX_DOCUMENTS // 2)))
    assert request.documents == ("a", "b") * (MAX_DOCUMENTS // 2)


@pytest.mark.parametrize("case", ["right", "Right", "RIGHT"])
def test_a_direction_is_read_whatever_its_case(case: str) -> None:
    assert (
        TeiRerankRequest.model_validate(texts(["x"]) | {"truncation_direction": case}).truncation_direction == "right"
    )


TEXT = "give text of 1 to 100000 characters that is not blank"
HALF = "half a character (a lone surrogate) in it; send whole ones"


@pytest.mark.parametrize(
    ("kind", "body", "field", "message"),
    [
        (RerankRequest, documents([]), "documents", "give a list of 1 to 1000 texts"),
        (RerankRequest, documents(["x"] * (MAX_DOCUMENTS + 1)), "documents", "give a list of 1 to 1000 texts"),
        (RerankRequest, documents("x"), "documents", "give a list of 1 to 1000 texts"),
        (RerankRequest, documents(["x", {"title": "x"}]), "documents", f"at 1: {TEXT}"),
        (RerankRequest, documents(["x", {"text": "\ud800"}]), "documents", f"at 1: {HALF}"),
        (RerankRequest, documents(["x"]) | {"query": " "}, "query", "give text of 1 to 10000 characters"),
        (RerankRequest, documents(["x"]) | {"query": "x" * 10_001}, "query", "give text of 1 to 10000 characters"),
        (RerankRequest, documents(["x"]) | {"top_n": 0}, "top_n", "Input should be greater"),
        (ScoreRequest, {"text_1": "q", "text_2": []}, "text_2", "give a list of 1 to 1000 texts"),
        (ScoreRequest, {"text_1": 1, "text_2": ["x"]}, "text_1", "give a list of 1 to 1000 texts"),
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
    place, told = wrong(kind, body)
    assert (place, told[: len(message)]) == ((field,), message)


@pytest.mark.parametrize(
    ("one", "other", "pairs"),
    [
        ("q", "d", [("q", "d")]),
        ("q", ["d", "e"], [("q", "d"), ("q", "e")]),
        (["q"], ["d", "e"], [("q", "d"), ("q", "e")]),
        (["q", "r"], ["d", "e"], [("q", "d"), ("r", "e")]),
    ],
)
@pytest.mark.parametrize(
    "names", [("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2")]
)
def test_one_query_is_scored_with_each_document_and_as_many_in_pairs(
    one: object, other: object, pairs: list[tuple[str, str]], names: tuple[str, str]
) -> None:
    assert ScoreRequest.model_validate(dict(zip(names, (one, other), strict=True))).pairs == pairs


@pytest.mark.parametrize(("one", "other"), [(["q", "r"], "d"), (["q", "r"], ["d", "e", "f"])])
def test_what_makes_no_pairs_is_refused(one: list[str], other: object) -> None:
    with pytest.raises(ValidationError, match=r"text_1 has 2 texts and text_2 [13]; give one"):
        ScoreRequest.model_validate({"text_1": one, "text_2": other})


ANY: TypeAdapter[RerankRequest | TeiRerankRequest] = TypeAdapter(AnyRerankRequest)


def test_the_key_that_is_there_tells_whose_request_it_is() -> None:
    assert isinstance(ANY.validate_python(documents(["x"]) | {"texts": None}), RerankRequest)
    assert isinstance(ANY.validate_python(texts(["x"]) | {"documents": None}), TeiRerankRequest)
    wrong: list[object] = [{"query": "q"}, documents(["x"]) | texts(["x"]), {"query": "q", "texts": None}, []]
    for body in wrong:
        with pytest.raises(ValidationError, match="give either `documents`"):
            ANY.validate_python(body)

"""What all protocols' requests have in common; what each has of its own is in the two files beside this."""

import pytest
from pydantic import BaseModel, ValidationError

from schemas.compatible_scores import RerankRequest, ScoreRequest, TeiRerankRequest
from schemas.compatible_texts import MAX_TEXT_CHARS, Inputs
from schemas.compatible_vectors import CohereEmbedRequest, EmbeddingsRequest, TeiEmbedRequest

BODIES: list[tuple[type[BaseModel], dict[str, object]]] = [
    (EmbeddingsRequest, {"input": "x"}),
    (TeiEmbedRequest, {"inputs": "x"}),
    (CohereEmbedRequest, {"texts": ["x"]}),
    (RerankRequest, {"query": "q", "documents": ["x"]}),
    (TeiRerankRequest, {"query": "q", "texts": ["x"]}),
    (ScoreRequest, {"text_1": "q", "text_2": ["x"]}),
]
EACH = pytest.mark.parametrize(("kind", "body"), BODIES, ids=lambda value: getattr(value, "__name__", ""))


@EACH
def test_fields_that_are_not_known_are_ignored(kind: type[BaseModel], body: dict[str, object]) -> None:
    assert kind.model_validate(body | {"user": "me"}) == kind.model_validate(body)


@EACH
def test_an_option_that_is_null_is_as_if_it_were_left_out(kind: type[BaseModel], body: dict[str, object]) -> None:
    options = [name for name, field in kind.model_fields.items() if not field.is_required()]
    assert options
    assert kind.model_validate(body | dict.fromkeys(options)) == kind.model_validate(body)
    for name in body:
        with pytest.raises(ValidationError):
            kind.model_validate(body | {name: None})


class Asked(BaseModel):
    input: Inputs


def test_a_text_is_read_without_blanks_at_its_ends_up_to_its_limit() -> None:
    assert Asked.model_validate({"input": [" " + "x" * MAX_TEXT_CHARS, "y\n"]}).input == ("x" * MAX_TEXT_CHARS, "y")
    with pytest.raises(ValidationError, match="at 1: give text of 1 to 100000 characters"):
        Asked.model_validate({"input": ["y", "x" * (MAX_TEXT_CHARS + 1)]})

import pytest
from pydantic import ValidationError

from schemas.search import MAX_ID_CHARS
from schemas.stored_vectors import MAX_VECTORS, VectorsRequest, VectorsResponse


def test_as_many_vectors_are_asked_for_as_are_allowed() -> None:
    assert len(VectorsRequest(ids=("x" * MAX_ID_CHARS,) * MAX_VECTORS).ids) == MAX_VECTORS
    for ids in ([], ["1"] * (MAX_VECTORS + 1), [""], ["x" * (MAX_ID_CHARS + 1)]):
        with pytest.raises(ValidationError):
            VectorsRequest.model_validate({"ids": ids})


def test_an_article_that_is_not_there_has_null_in_its_place() -> None:
    answer = VectorsResponse(version="v1", encoder="tiny", dimension=2, vectors=((0.5, -1), None))
    assert answer.model_dump_json().endswith('"vectors":[[0.5,-1.0],null]}')

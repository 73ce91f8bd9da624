from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval.index import quantizer
from tests.support import made_parts


@pytest.fixture(scope="module")
def few_lists_are_found_by_a_graph_too() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantizer, "GRAPH_LEAST", 1)
        yield


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(made_parts.article_part(tmp_path_factory.mktemp("parts")))


@pytest.fixture
def vector_part(tmp_path: Path) -> Path:
    return made_parts.vector_part(tmp_path)

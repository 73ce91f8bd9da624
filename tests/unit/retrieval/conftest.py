"""Imports are in the fixtures: torch takes seconds, and most tests do without."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def few_lists_are_found_by_a_graph_too() -> Iterator[None]:
    from retrieval.index.centroids import quantizer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantizer, "GRAPH_LEAST", 1)
        yield


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.stores import made_parts

    return made_parts.article_part(tmp_path_factory.mktemp("parts"))


@pytest.fixture
def vector_part(tmp_path: Path) -> Path:
    from tests.support.stores import made_parts

    return made_parts.vector_part(tmp_path)

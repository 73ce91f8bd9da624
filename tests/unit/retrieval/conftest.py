from collections.abc import Iterator

import pytest

from retrieval.index import quantizer


@pytest.fixture(scope="module")
def few_lists_are_found_by_a_graph_too() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantizer, "GRAPH_LEAST", 1)
        yield

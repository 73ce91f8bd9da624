from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from schemas.vector import EmbedCounts, RowRange, vector_schema


def test_only_a_vector_may_be_missing_and_all_have_one_dimension() -> None:
    schema = vector_schema(3)
    assert [field.name for field in schema if field.nullable] == ["vector"]
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(6, np.float16)), 3)
    assert vectors.type == schema.field("vector").type != vector_schema(4).field("vector").type


def test_the_name_of_a_range_says_all_that_it_depends_on() -> None:
    rows = RowRange(source="pubmed26n0001", start=0, stop=8192, history="1f0c")
    assert rows.name == "pubmed26n0001-0-8192-1f0c"
    others: list[dict[str, Any]] = [{"source": "pubmed26n0002"}, {"start": 1}, {"stop": 8191}, {"history": "1f0d"}]
    assert len({rows.name, *(rows.model_copy(update=other).name for other in others)}) == 5


@pytest.mark.parametrize("name", EmbedCounts.model_fields)
def test_counts_of_ranges_add_up_one_by_one(name: str) -> None:
    total = EmbedCounts(**{name: 2}) + EmbedCounts(**{name: 3}) + EmbedCounts()
    assert total == EmbedCounts(**{name: 5})

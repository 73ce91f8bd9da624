from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval import pmid_order
from retrieval.pmid_order import write_order

KEYS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(1, 50))


@settings(max_examples=60, deadline=None)
@given(keys=st.lists(KEYS, max_size=200), rows=st.integers(1, 50), sampled=st.integers(1, 8))
def test_rows_are_in_order_of_pmid_and_equals_in_order_of_row(
    keys: list[int], rows: int, sampled: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("order")
    np.array(keys, np.int64).tofile(folder / "pmids")
    with patch.multiple(pmid_order, SORTED_ROWS=rows * sampled, SAMPLED=sampled):
        write_order(folder / "pmids", folder / "order")
    assert np.fromfile(folder / "order", np.uint32).tolist() == sorted(range(len(keys)), key=lambda row: keys[row])


def test_a_file_of_many_ranges_is_sorted_like_one(tmp_path: Path) -> None:
    keys = np.random.default_rng(0).permutation(50_000).astype(np.int64)
    keys.tofile(tmp_path / "pmids")
    with patch.object(pmid_order, "SORTED_ROWS", 4096):
        write_order(tmp_path / "pmids", tmp_path / "order")
    assert np.array_equal(np.fromfile(tmp_path / "order", np.uint32), np.argsort(keys))

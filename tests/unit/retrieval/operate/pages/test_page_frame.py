"""How figures are written; the frame is seen in the pages of a night and of a run of training."""

import pytest

from retrieval.operate.pages.page_frame import duration, size


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (3599.6, "1 h 00 min"), (7500, "2 h 05 min")],
)
def test_a_time_is_told_in_units_of_its_kind(seconds: float, told: str) -> None:
    assert duration(seconds) == told


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (40e9, "40.0 GB"), (5e15, "5,000.0 TB")]
)
def test_a_size_is_told_in_units_of_its_kind(count: float, told: str) -> None:
    assert size(count) == told

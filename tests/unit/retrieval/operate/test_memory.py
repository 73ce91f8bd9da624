"""What a process takes is bounded where the work is done in classes and groups, and else grows with its own share."""

import pytest

from retrieval.articles.pmids import CLASS_ROWS
from retrieval.operate import memory

QUANTIZER = 4 * 768 * (65_536 + 768)


@pytest.mark.parametrize("of", [memory.of_snapshot, memory.of_checks, lambda rows: memory.of_merge(rows, QUANTIZER)])
def test_of_more_rows_than_a_class_each_takes_a_byte_more(of: object) -> None:
    assert callable(of)
    assert of(2 * CLASS_ROWS) - of(CLASS_ROWS) == CLASS_ROWS


def test_a_worker_takes_what_its_configuration_says() -> None:
    assert memory.of_worker(131_072, 768, QUANTIZER) == pytest.approx(1.9e9, rel=0.1)  # IndexConfig.rows_per_worker


def test_a_sample_is_held_once() -> None:
    one, two = (memory.of_training(rows, 1024, 384) for rows in (100_000, 200_000))
    assert two - one == 100_000 * 2 * 384


def test_small_work_takes_little_more_than_a_process() -> None:
    for held in (memory.of_snapshot(1000), memory.of_checks(1000, 1e6), memory.of_worker(1000, 384, 1e6)):
        assert memory.PROCESS < held < memory.PROCESS + 2e7

import os
from pathlib import Path

import pytest

from jobs.steps.embed.embed_pipeline import actors_of, threads_of
from schemas.vector import RowRange
from tests.support.stores.store_files import config

RANGES = [RowRange(source="a", start=i, stop=i + 1, history="") for i in range(3)]


@pytest.mark.parametrize(("actors", "ranges", "expected"), [(1, 3, 1), (4, 3, 3), (2, 0, 0)])
def test_there_are_no_more_actors_than_ranges(actors: int, ranges: int, expected: int, tmp_path: Path) -> None:
    assert actors_of(config(tmp_path, embed={"actors": actors}), RANGES[:ranges]) == expected


def test_actors_share_the_cores_unless_told_otherwise(tmp_path: Path) -> None:
    assert threads_of(config(tmp_path, embed={"threads": 7}), 2) == 7
    assert threads_of(config(tmp_path), 1) == os.cpu_count()
    assert threads_of(config(tmp_path), 10_000) == 1

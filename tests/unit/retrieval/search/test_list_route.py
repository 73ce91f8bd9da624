import pytest

from retrieval.search.list_route import lists_to_probe


@pytest.mark.parametrize(
    ("wanted", "live", "nlist", "expected"),
    [
        (0, 0, 256, None),
        (0, 33_000, 256, None),
        (2_248, 33_000, 256, None),  # 200 candidates and 8 for each of the 256 lists
        (2_249, 33_000, 256, 256),
        (16_500, 33_000, 256, 128),
        (33_000, 33_000, 256, 64),
        (50_000, 40_000_000, 65_536, None),
        (50_001, 40_000_000, 65_536, 51_199),  # rows lie far apart on the disk
        (40_000_000, 40_000_000, 65_536, 64),
    ],
)
def test_few_rows_are_read_and_of_many_as_many_looked_at_as_without_a_filter(
    wanted: int, live: int, nlist: int, expected: int | None
) -> None:
    assert lists_to_probe(wanted, live, nprobe=64, nlist=nlist, candidates=200) == expected

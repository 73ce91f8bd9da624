"""Lines and bars as coordinates."""

import pytest

from retrieval.operate.pages.charts import EDGE, line, means, shares, thinned


def points(values: list[float | None], width: float = 106, height: float = 46) -> list[tuple[float, ...]]:
    found = line(values, width, height)
    assert found is not None
    return [tuple(map(float, point.split(","))) for point in found.points.split()]


def test_a_line_goes_from_edge_to_edge_with_the_lowest_at_the_bottom() -> None:
    assert points([1, 3, 2]) == [(EDGE, 43), (53, EDGE), (103, 23)]


def test_of_a_gap_there_is_no_point_and_time_goes_on() -> None:
    assert points([1, None, 3, None, 2]) == [(EDGE, 43), (53, EDGE), (103, 23)]


def test_a_line_of_equal_values_is_in_the_middle() -> None:
    assert [y for _, y in points([5, 5])] == [23, 23]


def test_a_line_says_where_it_ends_and_its_bounds() -> None:
    found = line([4, 2, 3, None], 106, 46)
    assert found is not None
    assert (found.lowest, found.highest) == (2, 4)
    assert f"{found.x:.1f},{found.y:.1f}" == found.points.split()[-1]


@pytest.mark.parametrize("values", [[], [1.0], [None, 1.0, None]])
def test_there_is_no_line_of_fewer_than_two(values: list[float | None]) -> None:
    assert line(values, 100, 40) is None


def test_a_line_that_is_drawn_over_another_keeps_to_its_bounds() -> None:
    below = line([0, 4, 2], 106, 46)
    over = line([None, 4, 2], 106, 46, like=below)
    assert below
    assert over
    assert over.points.split() == below.points.split()[1:]
    assert (over.lowest, over.highest) == (0, 4)


def test_what_is_thinned_keeps_its_length_its_extremes_and_its_gaps() -> None:
    values: list[float | None] = [None] * 100 + [float(n % 7) for n in range(900)]
    values[555] = 50
    kept = thinned(values, 100)
    known = [place for place, value in enumerate(kept) if value is not None]
    assert len(kept) == 1000
    assert len(known) <= 100
    assert all(kept[place] == values[place] for place in known)
    assert (kept[555], min(kept[place] or 0 for place in known), known[0] >= 100) == (50, 0, True)


def test_a_few_values_are_not_thinned() -> None:
    assert thinned([3, None, 1, 2], 10) == [3, None, 1, 2]
    assert thinned([], 10) == []


def test_means_are_in_the_middle_of_what_they_are_of() -> None:
    assert means([None, None, 1, 3, None, 5], 2) == [None, None, 1, None, None, 4]
    assert means([1, 3, 5, 2, 2, 2], 2) == [None, 3, None, None, 2, None]


def test_bars_are_shares_of_the_greatest() -> None:
    assert shares([1, 4, 0]) == [0.25, 1, 0]
    assert shares([0, 0]) == [0, 0]
    assert shares([]) == []

import pytest

from retrieval.train.curve import Point, best_step, is_past_best


def curve(*means: float) -> list[Point]:
    return [Point(10 * number, {"title": mean - 0.1, "mesh": mean + 0.1}) for number, mean in enumerate(means)]


def test_the_best_is_that_of_the_highest_mean_and_of_equal_ones_the_first() -> None:
    assert curve(0.5)[0].mean == pytest.approx(0.5)
    assert best_step(curve(0.5, 0.7, 0.6)) == 10
    assert best_step([Point(0, {"title": 0.5}), Point(5, {"title": 0.5})]) == 0


@pytest.mark.parametrize(
    ("means", "patience", "wanted"),
    [((), 1, False), ((0.5,), 1, False), ((0.5, 0.4), 1, True), ((0.5, 0.4), 2, False), ((0.5, 0.4), 0, False)],
)
def test_a_run_is_past_its_best_after_so_many_that_were_no_better(
    means: tuple[float, ...], patience: int, *, wanted: bool
) -> None:
    assert is_past_best(curve(*means), patience) is wanted

import pytest

from jobs.common.stages import Stages


def test_a_stage_gives_what_its_function_returns_and_its_seconds_are_kept_in_order() -> None:
    stages = Stages()
    assert stages.run("join", "-".join, ["a", "b"]) == "a-b"
    assert stages.run("number", int, "11", base=2) == 3
    assert list(stages.seconds) == ["join", "number"]
    assert all(0 <= seconds < 1 for seconds in stages.seconds.values())
    assert stages.results == {"join": "a-b", "number": 3}


def test_the_last_with_seconds_is_the_one_that_failed() -> None:
    stages = Stages()
    stages.run("join", "-".join, ["a"])
    with pytest.raises(ValueError, match="invalid literal"):
        stages.run("number", int, "many")
    assert (list(stages.seconds), list(stages.results)) == (["join", "number"], ["join"])


def test_a_second_stage_of_a_name_is_a_mistake() -> None:
    stages = Stages()
    stages.run("join", "-".join, ["a"])
    with pytest.raises(AssertionError):
        stages.run("join", "-".join, ["b"])

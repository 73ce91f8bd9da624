"""A stage ends at its own deadline, or at that of the night."""

import time
from collections.abc import Mapping
from typing import Any

import pytest

from jobs.steps.night.deadlines import Deadlines
from schemas.config import NightConfig
from schemas.errors import OverdueError

GO_ON = "; what is finished is kept, run it again to go on"


def sleep(deadlines: Deadlines, stage: str) -> str:
    """How a stage ends that sleeps."""
    begun = time.monotonic()
    with pytest.raises(OverdueError) as error, deadlines.of(stage):
        time.sleep(30)
    assert time.monotonic() - begun < 15
    return str(error.value)


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ({"stage_seconds": {"embed": 0.2}}, "embed took longer than night.stage_seconds.embed = 0.2"),
        ({"deadline_seconds": 0.2}, "at embed the night took longer than night.deadline_seconds = 0.2"),
        (
            {"deadline_seconds": 0.2, "stage_seconds": {"embed": 9, "index": 0.1}},
            "at embed the night took longer than night.deadline_seconds = 0.2",
        ),
    ],
)
def test_a_stage_that_sleeps_is_ended(limits: Mapping[str, Any], why: str) -> None:
    assert sleep(Deadlines(NightConfig(**limits)), "embed") == why + GO_ON


def test_a_stage_has_what_the_ones_before_it_have_left_of_the_night() -> None:
    deadlines = Deadlines(NightConfig(deadline_seconds=4))
    with deadlines.of("ingest"):
        time.sleep(3)
    begun = time.monotonic()
    sleep(deadlines, "embed")
    assert time.monotonic() - begun < 3
    assert "at index the night" in sleep(deadlines, "index")


def test_a_night_may_take_as_long_as_it_likes() -> None:
    with Deadlines(NightConfig(deadline_seconds=float("inf"))).of("embed"):
        time.sleep(0.1)

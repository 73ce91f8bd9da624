"""What is told of a run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import ray.exceptions
from ray.exceptions import LocalRayletDiedError

from jobs.common.run_reports import LOSSES, Stages, json_values, root_cause, why_of
from schemas.errors import ClusterError, InputError, PubrayError, StoreError
from schemas.report import Report


def test_a_stage_gives_what_its_function_returns_and_its_seconds_are_kept_in_order() -> None:
    stages = Stages()
    assert stages.run("join", "-".join, ["a", "b"]) == "a-b"
    assert stages.run("number", int, "11", base=2) == 3
    assert list(stages.seconds) == ["join", "number"]
    assert all(0 <= seconds < 1 for seconds in stages.seconds.values())
    assert stages.results == {"join": "a-b", "number": 3}


def test_a_stage_costs_what_its_machines_do_for_so_long() -> None:
    stages = Stages(price=lambda: 7200)
    stages.run("wait", time.sleep, 0.05)
    assert 0.1 <= stages.usd["wait"] == 2 * stages.seconds["wait"] < 2


def test_a_stage_is_told_before_it_is_run() -> None:
    told = list[str]()
    stages = Stages(told.append)
    assert stages.run("first", lambda: list(told)) == ["first"]
    assert stages.run("second", lambda: list(told)) == ["first", "second"]


def test_a_stage_is_called_within_its_limit_and_what_that_raises_is_its_failure() -> None:
    @contextmanager
    def limit(name: str) -> Iterator[None]:
        yield
        raise StoreError(f"{name} took too long")

    stages = Stages(limit=limit)
    with pytest.raises(StoreError, match=r"^join took too long$"):
        stages.run("join", "-".join, ["a"])
    assert list(stages.seconds) == ["join"]


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


class WrappedError(Exception):
    """As Ray wraps what a worker raised."""

    def __init__(self, cause: BaseException | str) -> None:
        super().__init__(str(cause))
        self.cause = cause


class WrappedKindError(WrappedError, PubrayError):
    """Ray's wrapper also has the type of what it wraps, but its message is a traceback."""


def test_an_error_of_ours_is_its_own_cause() -> None:
    error = InputError("x")
    assert root_cause(error) is error


def test_a_full_disk_below_wrappers_is_told_in_one_line() -> None:
    cause = root_cause(WrappedError(WrappedError(OSError(28, "No space left on device", "/store/x"))))
    assert isinstance(cause, StoreError)
    assert str(cause) == "/store/x: no space left on device; make room, and run the job again"
    lost = FileNotFoundError(2, "No such file", "x")
    assert root_cause(lost) is lost  # which is for us to see


def test_what_ray_loses_is_told_in_one_line() -> None:
    cause = root_cause(WrappedError(LocalRayletDiedError()))
    assert isinstance(cause, ClusterError)
    assert str(cause) == (
        "Ray lost what it worked with (The task's local raylet died. Check raylet.out for more information); what is "
        "finished is kept, run it again to go on"
    )


def test_each_kind_of_loss_is_one_of_rays() -> None:
    assert all(issubclass(getattr(ray.exceptions, name), ray.exceptions.RayError) for name in LOSSES)


def test_a_cause_is_found_below_any_number_of_wrappers() -> None:
    cause = StoreError("lost")
    assert root_cause(WrappedError(WrappedKindError(WrappedError(cause)))) is cause


def test_a_cause_is_found_behind_from_and_during() -> None:
    cause = InputError("bad file")
    for error in (RuntimeError("job failed"), WrappedKindError("traceback")):
        error.__cause__ = cause
        assert root_cause(error) is cause
    error = RuntimeError("while closing")
    error.__context__ = WrappedError(cause)
    assert root_cause(error) is cause


def test_without_an_error_of_ours_the_outermost_stays() -> None:
    error = WrappedError(KeyError("x"))
    assert root_cause(error) is error


def test_a_circle_of_errors_ends() -> None:
    one, two = RuntimeError("1"), RuntimeError("2")
    one.__context__, two.__context__ = two, one
    assert root_cause(one) is one


def test_what_nothing_is_told_of_is_left_out() -> None:
    assert json_values(Report()) == {}
    assert json_values(Report(failures=())) == {"failures": []}


def test_why_a_run_failed_is_one_line() -> None:
    assert why_of(StoreError("no bucket")) == "no bucket"
    assert why_of(ValueError("a\n  b")) == "ValueError: a b"
    assert why_of(KeyboardInterrupt()) == "KeyboardInterrupt"

"""What is told of made steps, and when it is written."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from actors.store.local_store import LocalStore
from actors.train.trainer import StepFacts
from actors.train.training_run import TrainPlan, TrainStep
from jobs.common.run_records import runs
from jobs.steps.train import train_records
from jobs.steps.train.train_records import TrainRecorder, report_of
from jobs.steps.train.training import Told
from retrieval.train.curve import Point
from schemas.errors import ClusterError
from schemas.layout import Layout
from schemas.pair import PairSet
from schemas.run import TrainFigures
from tests.support.night_records import written

PLAN = TrainPlan("reranker", "a1", ("p", "q"), "s")
SET = PairSet(
    snapshot="s", version=None, inputs={}, counts={"title": {"train": 30, "held-out": 4}, "mesh": {"train": 10}}
)
KNOWN: dict[str, Any] = {
    "run": "a1",
    "page": "runs/r/report.html",
    "start": ("m",),
    "pairs": ("p",),
    "trained_on": 1,
    "held_out": 1,
    "planned": 30,
    "seconds": 9.0,
}


def steps(first: int, last: int, loss: float | None = None) -> list[TrainStep]:
    """Steps of half a second and 100 tokens, whose loss is their number."""
    return [
        TrainStep(n, StepFacts({"listwise": float(n) if loss is None else loss}, 2.0, 100), 0.5)
        for n in range(first, last + 1)
    ]


def told(first: int, last: int, *points: Point) -> Told:
    return Told(first - 1, steps(first, last), list(points), pairs=8, flops=3e6, peak=1e9)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path))


def recorder(store: LocalStore) -> TrainRecorder:
    return TrainRecorder(store, PLAN, [SET, SET], start=("m",), steps=30)


def kept(store: LocalStore, number: int = -1) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(store.read(Layout.run_report(runs(store).runs[number].run)) or b"")
    return found


def test_rates_and_losses_are_those_of_the_steps() -> None:
    report = report_of(told(11, 30), **KNOWN)
    assert (report.steps, report.begun_at, len(report.losses)) == (30, 10, 20)
    assert (report.pairs_per_second, report.tokens_per_second) == (16, 200)
    assert report.mfu == pytest.approx(200 * 3e6 / 1e9)
    assert report.loss == {"listwise": 29.5, "gradient": 2}  # of the last two
    assert report.losses[0] == {"listwise": 11, "gradient": 2}
    assert (report.curve, report.best, report.failures) == ((), None, ())


def test_a_run_with_no_step_left_has_neither() -> None:
    report = report_of(Told(30, [], []), **KNOWN)
    assert (report.steps, report.begun_at, report.loss, report.losses) == (30, 30, {}, ())
    assert (report.pairs_per_second, report.tokens_per_second, report.mfu) == (0, 0, 0)


def test_the_best_evaluation_is_named() -> None:
    points = [Point(0, {"title": 0.5}), Point(5, {"title": 0.7}), Point(9, {"title": 0.6})]
    report = report_of(told(1, 9, *points), **KNOWN)
    assert ([point.step for point in report.curve], report.best) == ([0, 5, 9], 5)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_a_failure_and_can_be_read_again(loss: float) -> None:
    report = report_of(Told(0, [*steps(1, 4), *steps(5, 9, loss)], []), **KNOWN)
    assert report.failures == ("the loss is no number from step 5 on; lower the learning rate, lr",)
    assert (report.loss["listwise"], report.losses[4]["listwise"], report.losses[3]["listwise"]) == (None, None, 4)
    assert type(report).model_validate_json(report.model_dump_json()) == report


def test_a_run_is_told_from_its_start_on_and_now_and_then(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    made = recorder(store)
    made.tell(told(1, 5))
    written(made._record)
    [run] = runs(store).runs
    assert (run.job, run.training, run.outcome, run.stage) == ("train-reranker", "a1", "running", "train")
    assert (kept(store)["train"]["steps"], kept(store)["train"]["planned"]) == (0, 30)
    assert (kept(store)["train"]["trained_on"], kept(store)["train"]["held_out"]) == (80, 8)
    assert made.page == kept(store)["train"]["page"] == Layout.run_page(run.run)
    assert b"at step 0 of 30" in (store.read(made.page) or b"")
    monkeypatch.setattr(train_records, "RENEWED", 0)
    made = recorder(store)
    made.tell(told(1, 5))
    written(made._record)
    figures = runs(store).runs[-1].figures
    assert isinstance(figures, TrainFigures)
    assert (kept(store)["train"]["steps"], figures.steps, figures.loss["listwise"]) == (5, 5, 5)


def test_the_end_is_told(store: LocalStore) -> None:
    made = recorder(store)
    made.tell(told(1, 30))
    made.done(made.report(models=("stored:m",)))
    assert (kept(store)["outcome"], kept(store)["exit_code"], kept(store)["train"]["models"]) == (
        "done",
        0,
        ["stored:m"],
    )
    assert b"<h1>Done</h1>" in (store.read(made.page) or b"")


@pytest.mark.parametrize(
    ("error", "outcome", "why"),
    [
        (ClusterError("lost 4 times"), "failed", "lost 4 times"),
        (KeyboardInterrupt(), "interrupted", "KeyboardInterrupt"),
    ],
)
def test_a_failure_is_told_with_the_steps_before_it(
    store: LocalStore, error: BaseException, outcome: str, why: str
) -> None:
    made = recorder(store)
    made.tell(told(1, 12))
    made.failed(error)
    assert (kept(store)["outcome"], kept(store)["error"], kept(store)["train"]["steps"]) == (outcome, why, 12)
    assert b"at step 12 of 30" in (store.read(made.page) or b"")


def test_a_model_of_no_number_ends_as_a_failure(store: LocalStore) -> None:
    made = recorder(store)
    made.tell(Told(0, steps(1, 3, math.nan), []))
    made.done(made.report())
    assert (kept(store)["outcome"], kept(store)["exit_code"]) == ("failed", 1)
    assert "the loss is no number from step 1 on" in kept(store)["error"]

"""What is told of a run of training, from its start on: its report, so far and in the end, and its page."""

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from actors.train.training_run import TrainPlan
from jobs.common.run_records import Record, exit_code_of, outcome_of
from jobs.common.run_reports import json_values, root_cause, why_of
from jobs.steps.train.training import Told
from retrieval.train.curve import best_step
from schemas.errors import PubrayError
from schemas.layout import Layout
from schemas.pair import PairSet
from schemas.store import Store
from schemas.training_report import Evaluation, TrainReport

RENEWED = 60.0
"""Seconds after which the record of a run that goes on is written again."""
LAST = 0.1
"""Share of the steps over which the loss is told."""


class TrainRecorder:
    """Keeps the record of a run."""

    def __init__(
        self, store: Store, plan: TrainPlan, sets: Sequence[PairSet], *, start: tuple[str, ...], steps: int
    ) -> None:
        """Begin it. start: names of the models that it starts from; steps: how many there are to be."""
        self._record = Record(store, f"train-{plan.kind}", plan.run)
        self._start = self._renewed = time.monotonic()
        self._told = Told(0, [], [])
        counts = [of for one in sets for of in one.counts.values()]
        self._known: dict[str, Any] = {
            "run": plan.run,
            "page": Layout.run_page(self._record.name),
            "start": start,
            "pairs": plan.pairs,
            "trained_on": sum(of.get("train", 0) for of in counts),
            "held_out": sum(of.get("held-out", 0) for of in counts),
            "planned": steps,
        }
        self.write("train")

    @property
    def page(self) -> str:
        """The key of its page."""
        return str(self._known["page"])

    def tell(self, told: Told) -> None:
        """Take what is told of the steps so far; write it where what was written is old."""
        self._told = told
        if time.monotonic() - self._renewed > RENEWED:
            self.write("train")

    def write(self, stage: str) -> None:
        """Write what is told so far."""
        report = self.report()
        self._record.stage(stage, {"train": json_values(report)}, report.figures)
        self._renewed = time.monotonic()

    def report(self, **known: Any) -> TrainReport:
        """Return its report; known: what is known at the end alone."""
        return report_of(self._told, seconds=time.monotonic() - self._start, **self._known, **known)

    def done(self, report: TrainReport) -> None:
        code, why = report.trouble or (0, None)
        ended = {"train": json_values(report), "exit_code": code, **({"error": why} if why else {})}
        self._record.end("failed" if code else "done", ended, None, report.figures)

    def failed(self, error: BaseException) -> None:
        cause, report = root_cause(error), self.report()
        ended = {"train": json_values(report), "exit_code": exit_code_of(cause), "error": why_of(cause)}
        with suppress(OSError, PubrayError):  # what went wrong first is what is told
            self._record.end(outcome_of(cause), ended, None, report.figures)


def report_of(told: Told, **known: Any) -> TrainReport:
    """Return what is told of steps and evaluations; known: the other fields."""
    steps = told.steps
    numbers = [{**step.facts.losses, "gradient": step.facts.norm} for step in steps]
    losses = [{name: value if math.isfinite(value) else None for name, value in of.items()} for of in numbers]
    last = numbers[-max(1, int(LAST * len(numbers))) :]
    loss = {name: sum(step[name] for step in last) / len(last) for name in (last[0] if last else {})}
    spent = sum(step.seconds for step in steps) or 1.0
    broken = next((step.number for step, of in zip(steps, losses, strict=True) if None in of.values()), None)
    return TrainReport(
        left_out=told.left_out,
        steps=steps[-1].number if steps else told.begun_at,
        begun_at=steps[0].number - 1 if steps else told.begun_at,
        pairs_per_second=told.pairs * len(steps) / spent,
        tokens_per_second=sum(step.facts.tokens for step in steps) / spent,
        mfu=told.mfu(steps),
        loss={name: value if math.isfinite(value) else None for name, value in loss.items()},
        losses=tuple(losses),
        curve=tuple(Evaluation(step=point.step, ndcg=point.ndcg) for point in told.curve),
        best=best_step(told.curve) if told.curve else None,
        **(
            {"failures": (f"the loss is no number from step {broken} on; lower the learning rate, lr",)}
            if broken
            else {}
        ),
        **known,
    )

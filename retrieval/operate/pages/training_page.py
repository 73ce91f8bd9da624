"""The page of a run of training: what it learns, step by step, and what comes of it."""

import datetime
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from retrieval.operate.pages.charts import Line, line, means, thinned
from retrieval.operate.pages.page_frame import head, rendered
from schemas.training_report import HeldOutFigures, TrainRecord, TrainReport

PLOT = (240, 90)
"""Width and height of a plot."""
MOST_POINTS, MOST_MEANS = 400, 40
"""Of a line: as many as can be seen."""
NAMES = {"gradient": "norm of the gradient"}
EACH_SIGNAL = "mean of the signals"


class Plot(NamedTuple):
    """Values over the steps of the run."""

    name: str
    text: str
    """The value that counts …"""
    note: str
    """… and one to compare it with."""
    line: Line
    mean: Line | None
    """Where the line has many points."""
    lowest: str
    highest: str
    best: tuple[str, ...] = ()
    """x and y of the state that became the model."""


class Compared(NamedTuple):
    """A signal before and after."""

    signal: str
    of: HeldOutFigures
    mood: str
    words: str


class View(NamedTuple):
    """All that the template is told beside the head."""

    report: TrainReport | None
    as_of: str | None
    """When this was told of a run that goes on."""
    first: int
    """The first step of which losses are known."""
    losses: list[Plot]
    evaluations: list[Plot]
    compared: list[Compared]


def training_page(record: TrainRecord, store: str) -> str:
    """Return the page of a run of training, as far as it is."""
    report = record.train
    made = len(report.losses) if report else 0
    view = View(
        report=report,
        as_of=_as_of(record, report) if report and record.finished is None else None,
        first=report.steps - made + 1 if report else 0,
        losses=list(_losses(report)) if report else [],
        evaluations=list(_evaluations(report)) if report else [],
        compared=[_compared(*of) for of in report.held_out_ndcg.items()] if report else [],
    )
    reached = f", at step {report.steps:,} of {report.planned:,}" if report else ""
    warnings = report.failures if report else ()
    subject = f"{record.job} {record.training}"
    return rendered(
        "training.html",
        head(record, subject, store, reached=reached, warnings=warnings),
        view=view,
        width=PLOT[0],
        height=PLOT[1],
    )


def _as_of(record: TrainRecord, report: TrainReport) -> str:
    told = datetime.datetime.fromisoformat(record.started) + datetime.timedelta(seconds=report.seconds)
    return told.isoformat()


def _losses(report: TrainReport) -> Iterator[Plot]:
    before = [None] * (report.steps + 1 - len(report.losses))  # step 0 has none
    for name, value in report.loss.items():
        values = [*before, *(step[name] for step in report.losses)]
        if drawn := line(thinned(values, MOST_POINTS), *PLOT):
            many = len(report.losses) > MOST_MEANS
            mean = line(means(values, MOST_MEANS), *PLOT, like=drawn) if many else None
            text = "–" if value is None else _short(value)
            yield Plot(
                NAMES.get(name, name),
                text,
                "over the last tenth",
                drawn,
                mean,
                _short(drawn.lowest),
                _short(drawn.highest),
            )


def _evaluations(report: TrainReport) -> Iterator[Plot]:
    curve = report.curve
    signals = {signal: [point.ndcg[signal] for point in curve] for signal in (curve[0].ndcg if curve else ())}
    if len(signals) > 1:
        every = zip(*signals.values(), strict=True)
        signals = {EACH_SIGNAL: [sum(values) / len(values) for values in every], **signals}
    best = next((number for number, point in enumerate(curve) if point.step == report.best), 0)
    for name, found in signals.items():
        if drawn := line(_placed(report, found), *PLOT):
            text, was, lowest, highest = (f"{of:.3f}" for of in (found[best], found[0], drawn.lowest, drawn.highest))
            yield Plot(name, text, f"was {was}", drawn, None, lowest, highest, _point(drawn, best))


def _placed(report: TrainReport, values: Sequence[float]) -> list[float | None]:
    """Return the values of evaluations at the steps that they came after."""
    placed: list[float | None] = [None] * (max(report.steps, report.curve[-1].step) + 1)
    for point, value in zip(report.curve, values, strict=True):
        placed[point.step] = value
    return placed


def _point(drawn: Line, number: int) -> tuple[str, ...]:
    return tuple(drawn.points.split()[number].split(","))


def _compared(signal: str, of: HeldOutFigures) -> Compared:
    if of.difference.low > 0:
        return Compared(signal, of, "good", "✓ better")
    return (
        Compared(signal, of, "bad", "✗ worse") if of.difference.high < 0 else Compared(signal, of, "soft", "as before")
    )


def _short(value: float) -> str:
    """Return a loss, or the norm of a gradient, in four digits."""
    return f"{value:.4g}"

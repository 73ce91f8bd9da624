from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from jobs import plan
from jobs.common.run_reports import json_values
from schemas.errors import UsageError
from schemas.figures import ENCODERS
from schemas.quality_report import PlanReport
from tests.support.stores.store_files import config


def planned(**options: Any) -> PlanReport:
    return plan.run(config(Path("/nowhere")), **options)


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
    report = planned(encoder="bmretriever-7b")
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

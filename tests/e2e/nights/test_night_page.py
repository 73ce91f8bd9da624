"""The pages of a night and of a run of training in Chromium, opened as the files that they are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser

from retrieval.operate.pages.night_page import night_page
from retrieval.operate.pages.training_page import training_page
from tests.support.browser import NEEDS_CHROMIUM, assert_can_be_read, chromium
from tests.support.night_records import figures, record, run
from tests.support.training.made_records import train_record, train_report

WIDE, NARROW = (1100, 900), (360, 740)

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.mark.parametrize("size", [WIDE, NARROW])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("outcome", ["done", "held", "checks failed", "running"])
def test_a_night_can_be_read_by_day_and_by_night_and_asks_for_nothing(
    browser: Browser, tmp_path: Path, outcome: str, scheme: Literal["light", "dark"], size: tuple[int, int]
) -> None:
    error: dict[str, Any] = {} if outcome in ("done", "running") else {"error": "version b finds 0.900", "exit_code": 5}
    night = record(outcome=outcome, stage="compact", figures=figures(30).model_dump(), **error)
    nights = [*(run(n, "held" if n % 7 == 0 else "done", figures=figures(n)) for n in range(1, 30)), night]
    file = tmp_path / "report.html"
    file.write_text(night_page(night, nights, "/a/store"))
    assert_can_be_read(browser, file, f"night-{outcome}", scheme, size)


@pytest.mark.parametrize("size", [WIDE, NARROW])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("outcome", ["done", "running"])
def test_so_can_a_run_of_training(
    browser: Browser, tmp_path: Path, outcome: str, scheme: Literal["light", "dark"], size: tuple[int, int]
) -> None:
    so_far: dict[str, Any] = {"models": (), "held_out_ndcg": {}} if outcome == "running" else {}
    file = tmp_path / "report.html"
    file.write_text(training_page(train_record(outcome, train_report(170, 120, **so_far)), "/a/store"))
    assert_can_be_read(browser, file, f"training-{outcome}", scheme, size)

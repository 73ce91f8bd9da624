"""The page of a night in Chromium, opened as the file that it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, expect

from retrieval.operate.night_page import night_page
from tests.support.browser import NEEDS_CHROMIUM, assert_accessible, chromium, keep
from tests.support.night_records import figures, record, run

WIDE, NARROW = (1100, 900), (360, 740)
PAPER = {"light": "rgb(253, 253, 251)", "dark": "rgb(22, 25, 28)"}

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
    context = browser.new_context(color_scheme=scheme, viewport={"width": size[0], "height": size[1]})
    asked: list[str] = []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(file.as_uri())
    assert (asked, said) == ([file.as_uri()], [])
    expect(page.get_by_role("heading", level=1)).to_be_in_viewport()
    expect(page.locator("body")).to_have_css("background-color", PAPER[scheme])
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    keep(page, f"night-{outcome}-{scheme}-{size[0]}")
    assert_accessible(page)
    context.close()

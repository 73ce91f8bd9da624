"""Chromium, as the system has it, and what is asked of every page in it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
SWITCHES = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
SCREENSHOTS = os.environ.get("PUBRAY_SCREENSHOTS")
"""Where to leave what pages look like; nowhere unless it is set."""

NEEDS_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium fonts-liberation")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES.split())
        yield browser
        browser.close()


def keep(page: Page, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")


def assert_accessible(page: Page) -> None:
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]})
    assert found.violations_count == 0, found.generate_report()


PAPER = {"light": "rgb(253, 253, 251)", "dark": "rgb(22, 25, 28)"}


def assert_can_be_read(
    browser: Browser, file: Path, name: str, scheme: Literal["light", "dark"], size: tuple[int, int]
) -> None:
    """Open the page of a run as the file that it is: it asks for nothing, fits, and is accessible."""
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
    keep(page, f"{name}-{scheme}-{size[0]}")
    assert_accessible(page)
    context.close()

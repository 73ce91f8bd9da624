"""What a night reports, and that a version that was withdrawn stays so."""

from pathlib import Path
from typing import Any

import pytest

from jobs import nightly
from jobs.common.store import read_current
from jobs.steps.stages import Stages
from schemas.layout import Layout
from schemas.manifest import Current
from tests.support.stores import add_versions, config, set_current

INGEST = {"ingested": 1, "added": 1000, "revised_text": 2, "revised_metadata": 3, "deleted": 4}
BUILT = {"version": "b", "articles": 2000, "segments": 3, "dead_rows": 9, "recall_at_10": 0.98765}
REPORT: dict[str, Any] = {
    "ingest": INGEST,
    "embed": {"encoded": 1002, "copied": 3},
    "index": BUILT,
    "compact": {"reason": "not due", "advice": None},
    "version": "b",
    "withdrawn": False,
    "seconds": {"ingest": 1.0, "embed": 2.0, "index": 3.0, "promote": 0.1, "compact": 0.2},
}


def test_the_report_says_what_each_stage_did() -> None:
    shown = nightly.show(REPORT)
    assert shown.startswith("CURRENT is b\n")
    assert "1 new files: 1,000 added, 2 texts and 3 other records revised, 4 deleted" in shown
    assert "2,000 articles in 3 segments, 9 dead rows, recall@10 0.988" in shown
    assert "not due" in shown


def test_a_night_without_files_says_so() -> None:
    assert "no new files" in nightly.show(REPORT | {"ingest": INGEST | {"ingested": 0}})


def test_advice_comes_last() -> None:
    report = REPORT | {"compact": {"reason": "not due", "advice": "train anew"}}
    assert nightly.show(report).endswith("\ntrain anew")


def test_a_withdrawn_version_is_told() -> None:
    report = {**REPORT, "version": "a", "withdrawn": True}
    del report["compact"]
    assert nightly.show(report).startswith("CURRENT is a; b was withdrawn before, and is promoted only by name\n")


@pytest.mark.parametrize(("version", "withdrawn", "served"), [("b", False, "b"), ("c", True, "a")])
def test_a_version_is_promoted_unless_it_was_withdrawn(
    version: str, withdrawn: bool, served: str, tmp_path: Path
) -> None:
    layout = Layout(str(tmp_path))
    add_versions(layout, "a", "b", "c")
    set_current(layout, Current(version="a", withdrawn=("c",)))
    assert nightly._promote(config(tmp_path), Stages(), version) is withdrawn
    current = read_current(layout)
    assert current
    assert current.version == served

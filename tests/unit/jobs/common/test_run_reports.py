"""What a run leaves behind."""

import json
from pathlib import Path

from jobs.common.run_reports import json_values, write_report
from schemas.layout import Layout
from schemas.report import EmbedReport, Report
from tests.support.reports import filled


def test_each_run_leaves_its_report(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    for encoded in (1, 2):
        write_report(layout, "embed", filled(EmbedReport, encoded=encoded))
    folders = sorted((tmp_path / "runs").iterdir())
    reports = [json.loads(Path(layout.run_report(folder.name)).read_text()) for folder in folders]
    assert [(r["job"], r["encoded"]) for r in reports] == [("embed", 1), ("embed", 2)]
    assert all(folder.name.endswith("-embed") for folder in folders)


def test_what_nothing_is_told_of_is_left_out() -> None:
    assert json_values(Report()) == {}
    assert json_values(Report(failures=())) == {"failures": []}

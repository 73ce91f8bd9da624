"""What docs/operations.md tells a newcomer to try, as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = re.compile(r"```bash\n(.*?)```", re.DOTALL)
OUTCOMES = ["done", "died", "done", "held", "done"]


@pytest.mark.whole
def test_the_nights_that_a_newcomer_tries_end_as_they_are_said_to(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    [script] = SCRIPT.findall(page)
    # $PWD has an environment only where it was installed.
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    environment = {**os.environ, "PUBRAY_CACHE": str(tmp_path / "cache")}
    environment.pop("RAY_ADDRESS", None)
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.findall(r"exit code \d+", done.stdout) == ["exit code 4", "exit code 6"]
    told, shown = (re.findall(r"^\d{4}-\d\d-\d\dT\S+  ([a-z]+) ", text, re.MULTILINE) for text in (page, done.stdout))
    assert told == shown == OUTCOMES
    assert "every file of every version has its digest" in done.stdout
    pages = sorted(tmp_path.glob("reports/*/report.html"))
    assert len(pages) == len(OUTCOMES)
    assert "<h1>Died in embed</h1>" in pages[1].read_text()
    assert "<h1>Held" in pages[3].read_text()

"""What docs/operations.md tells a newcomer to try, as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_port

ROOT = Path(__file__).parents[3]
SCRIPT, CLUSTER_SCRIPT = (re.compile(rf"```{kind}\n(.*?)```", re.DOTALL) for kind in ("bash", "sh"))
CHECKOUT = ("infra", "jobs", "actors", "retrieval", "schemas", "pyproject.toml", "README.md", "LICENSE")
OUTCOMES = ["done", "died", "done", "held", "done"]


@pytest.mark.whole
def test_the_nights_that_a_newcomer_tries_end_as_they_are_said_to(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    [script] = SCRIPT.findall(page)
    script = script.replace("5555", str(free_port()))  # another's server would bring its nights
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


@pytest.mark.whole
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("sshd"), reason="only root can make hosts, with openssh-server and rsync"
)
def test_the_cluster_that_a_newcomer_tries_loses_a_host_and_goes_on(tmp_path: Path) -> None:
    [script] = CLUSTER_SCRIPT.findall((ROOT / "docs" / "operations.md").read_text())
    for name in CHECKOUT:
        copied = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copied(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    (tmp_path / ".gitignore").write_text(".venv\n")  # Ray brings to the nodes what git would
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = ["bash", "-c", script]
    try:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=600, check=False
        )
    finally:
        subprocess.run([tmp_path / "infra" / "local-cluster" / "cluster.sh", "down"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"exit code \d+", done.stdout) == ["exit code 0"]
    assert re.findall(r"^\d{4}-\d\d-\d\dT\S+  ([a-z]+) ", done.stdout, re.MULTILINE)[-2:] == ["done", "done"]
    assert "tells of gene 7 " in done.stdout

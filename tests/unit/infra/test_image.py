"""The Dockerfile: hadolint has nothing to say, and the context of a build is what an image needs."""

import subprocess
import sys
from pathlib import Path

from tests.unit.test_mirror import ROOMS

ROOT = Path(__file__).parents[3]
HADOLINT = Path(sys.executable).with_name("hadolint")


def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run([HADOLINT, "Dockerfile"], cwd=ROOT, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_say_it(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text((ROOT / "Dockerfile").read_text().replace("USER 10001", "USER root"))
    done = subprocess.run([HADOLINT, file], text=True, capture_output=True, check=False)
    assert (done.returncode, "DL3002" in done.stdout) == (1, True)


def test_an_image_has_the_rooms_and_what_an_installation_reads() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert allowed == {*ROOMS, "infra", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"}
    assert all((ROOT / name).exists() for name in allowed)

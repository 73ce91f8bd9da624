"""Nights that faults meet, drawn anew in each run: what becomes of them says the module itself."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RUNS = 12


@pytest.mark.whole
@pytest.mark.timeout(3600)
def test_nights_that_any_fault_meets_end_as_if_it_had_not() -> None:
    command = [sys.executable, "-m", "tests.faults", "--runs", str(RUNS)]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.count(": as it should be") == RUNS

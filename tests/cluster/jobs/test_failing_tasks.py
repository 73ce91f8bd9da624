"""What a command tells of tasks that fail together, in a process of its own: pytest would hear nothing of it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
COMMAND = """
import gc, sys, time
import ray
from actors.store.local_store import LocalStore
from jobs.common.cluster.joining import connect, results
from schemas.errors import StoreError

@ray.remote(max_retries=0)
def fail(number):
    time.sleep(number / 10)
    raise StoreError(f"part {number}: no such file")

def build():
    tasks = [fail.remote(number) for number in range(4)]
    try:
        results(tasks, "build", 4, "rows", lambda _: 1)
    finally:
        time.sleep(3)  # the others have failed too

connect(LocalStore(sys.argv[1]))
try:
    build()
except StoreError as error:
    print("told:", error)
gc.collect()
time.sleep(1)
"""


@pytest.mark.whole
def test_of_tasks_that_fail_together_one_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(tmp_path)], cwd=ROOT, text=True, capture_output=True, check=True
    )
    assert "told:" in done.stdout
    assert done.stderr == ""

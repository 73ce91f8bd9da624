"""What a command tells of tasks that fail together, and of a head that is killed, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FAILING = """
import gc, sys, time
import ray
from jobs.common.cluster.joining import connect, results
from jobs.common.config import load_config
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

connect(load_config(None, [], {"PUBRAY_STORE": sys.argv[1]}))
try:
    build()
except StoreError as error:
    print("told:", error)
gc.collect()
time.sleep(1)
"""

HEADLESS = """
import os, signal, subprocess, sys, threading, time
import ray
from jobs.common.broken_off import within
from jobs.common.cluster.joining import connect
from jobs.common.config import load_config
from schemas.errors import ClusterError, OverdueError

@ray.remote
def wait():
    time.sleep(300)

def hang():
    while True:
        try:
            time.sleep(300)
        except KeyboardInterrupt:  # as of a call of Ray that asks the head
            pass

try:
    with within(300, OverdueError("late")):
        connect(load_config(None, [], {"PUBRAY_STORE": sys.argv[1]}))
        threading.Timer(3, subprocess.run, [["pkill", "-9", "-P", str(os.getpid()), "gcs_server"]]).start()
        {waits}
except ClusterError as error:
    sys.stderr.write(f"pubray: {error}\\n")
    sys.exit(1)
"""


@pytest.mark.whole
def test_of_tasks_that_fail_together_one_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILING, str(tmp_path)], cwd=ROOT, text=True, capture_output=True, check=True
    )
    assert "told:" in done.stdout
    assert done.stderr == ""


@pytest.mark.whole
@pytest.mark.parametrize("waits", ["ray.get(wait.remote())", "hang()"])
def test_a_run_whose_head_is_killed_says_so_and_ends(waits: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HEADLESS.replace("{waits}", waits), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert (
        done.stderr
        == "pubray: Ray's head on this machine ended (-9); what is finished is kept, run it again to go on\n"
    )

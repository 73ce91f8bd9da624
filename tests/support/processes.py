"""`pubray` as a process of its own, on a Ray of its own: started, found by its store, killed as by a power cut."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from jobs.serve import APP

ROOT = Path(__file__).parents[2]


@contextmanager
def started(store: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start `pubray` on a store, in a process group as a shell's job is; nothing of it is left at the end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs", *arguments],
        cwd=ROOT,
        env={**environment, "PUBRAY_STORE": store},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        kill_all(store)
        process.communicate()


def kill_all(store: str) -> None:
    """Kill all processes of a store at once, as a power cut does."""
    while found := processes(store):
        for process in found:
            kill(process)


def kill(process: int) -> None:
    """Kill a process, if it has not ended meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def processes(store: str, title: str = "") -> list[int]:
    """What was started on a store and runs, Ray's processes too: they have its environment."""
    return [int(process.name) for process in Path("/proc").glob("[0-9]*") if _is_of(process, store, title)]


def _is_of(process: Path, store: str, title: str) -> bool:
    try:
        found = f"PUBRAY_STORE={store}\0".encode() in (process / "environ").read_bytes()
        return found and title.encode() in (process / "cmdline").read_bytes()
    except OSError:  # it has ended, or is not ours
        return False


def workers(wanted: str) -> list[int]:
    """Process ids of this test's own Ray workers of a title, the oldest first: another Ray may run here too."""
    ours = psutil.Process().children(recursive=True)
    found = [process for process in ours if process.is_running() and wanted in title(process)]
    return [process.pid for process in sorted(found, key=lambda process: process.create_time())]


def replicas(deployment: str) -> list[int]:
    """Process ids of a deployment's replicas on this test's own Ray, the oldest first."""
    return workers(f"ServeReplica:{APP}:{deployment}")


def title(process: psutil.Process) -> str:
    """Return its command line, which for a worker of Ray says what it does; empty where it has ended."""
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


@contextmanager
def frozen(processes: Sequence[int]) -> Iterator[None]:
    """Stop processes in their tracks, as if they had too much to do, until the end of a `with` block."""
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def within(seconds: float, condition: Callable[[], object]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)

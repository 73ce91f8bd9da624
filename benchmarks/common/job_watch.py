"""A job as a process of its own, watched from outside: CPU, memory, reads, by stage and by task of Ray.

Every fifth of a second all processes of its store are looked at; Ray's workers say in their titles which task they run.
What is anonymous (and shared, as Ray's object store is) is memory that only this process holds; mapped files are
counted apart, for the kernel takes their pages back when it needs them.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from jobs.common.console import log

ROOT = Path(__file__).parents[2]
LOOK_SECONDS = 0.2
TICKS = os.sysconf("SC_CLK_TCK")
STAGE_END = re.compile(r"^(\w+) +[\d,]+ of [\d,]+ .*, [\d.,]+ s$")


@dataclass
class Use:
    """What the processes of one task used."""

    cpu_seconds: float = 0
    peak_anonymous: int = 0
    """Bytes of the largest process while it ran this task; so with all peaks."""
    peak_grown: int = 0
    """Anonymous bytes beyond those that it had kept from its task before."""
    peak_shared: int = 0
    peak_mapped: int = 0
    high_water: int = 0
    """All kinds together, by the kernel's own mark, which no look can miss."""
    asked_bytes: int = 0
    """By read calls, of files, pipes and sockets, from the page cache too."""
    disk_bytes: int = 0
    """Read from disk, by read calls and through maps."""

    def line(self) -> list[object]:
        """Return CPU seconds and memory for a table, in MB."""
        peaks = (self.peak_anonymous, self.peak_grown, self.peak_shared, self.peak_mapped, self.high_water)
        return [self.cpu_seconds, *(round(peak / 1e6) for peak in peaks)]


@dataclass
class Watched:
    """A job that ended well."""

    report: dict[str, Any]
    seconds: float
    stages: dict[str, tuple[float, float]]
    """Wall and CPU seconds from the end of the stage before to its own end."""
    tasks: dict[str, Use]
    temporary_bytes: int
    """The most that worker shards took on disk."""

    @property
    def cpu_seconds(self) -> float:
        """Of all processes, Ray's own too."""
        return sum(use.cpu_seconds for use in self.tasks.values())

    @property
    def disk_bytes(self) -> int:
        """Read from disk by all processes."""
        return sum(use.disk_bytes for use in self.tasks.values())


USE_HEADERS = ["task", "CPU s", "anonymous", "of it new", "shared", "mapped", "VmHWM"]
"""Memory in MB, of the largest process."""


def use_rows(job: Watched) -> list[list[object]]:
    """Return the rows of a table under `USE_HEADERS`."""
    return [[task, *use.line()] for task, use in sorted(job.tasks.items(), key=lambda item: -item[1].cpu_seconds)]


def watched(config_file: Path, store: Path, *arguments: str) -> Watched:
    """Run `pubray` on a store and watch it; its progress goes to stderr as ever.

    Raises:
        SystemExit: it failed.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    command = [sys.executable, "-m", "jobs", "--config", str(config_file), *arguments, "--json"]
    log(f"watching  {' '.join(command[2:])}")
    start = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**environment, "PUBRAY_STORE": str(store), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stderr
    ends: list[tuple[str, float]] = []
    reader = threading.Thread(target=_read_stages, args=(process.stderr, ends))
    reader.start()
    look = _Look(store)
    while process.poll() is None:
        look.once()
        time.sleep(LOOK_SECONDS)
    reader.join()
    if process.returncode:
        raise SystemExit(f"pubray {' '.join(arguments)} failed: exit {process.returncode}")
    seconds = time.monotonic() - start
    ends.append(("end", start + seconds))
    stages = _stages(start, ends, look.history)
    return Watched(json.loads(process.stdout.read()), seconds, stages, look.tasks, look.temporary_bytes)


def _read_stages(stream: IO[str], ends: list[tuple[str, float]]) -> None:
    for line in stream:
        log(line.rstrip())
        if found := STAGE_END.match(line.rstrip()):
            ends.append((found[1], time.monotonic()))


def _stages(
    start: float, ends: list[tuple[str, float]], history: list[tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    times, used = zip((start, 0.0), *history, strict=True)
    stages, before = {}, start
    for name, end in ends:
        cpu = np.interp([before, end], times, used)
        stages[name] = (end - before, float(cpu[1] - cpu[0]))
        before = end
    return stages


@dataclass
class _Seen:
    """What a process had used when it was last looked at."""

    cpu_seconds: float = 0
    asked_bytes: int = 0
    disk_bytes: int = 0
    task: str = ""
    anonymous: int = 0
    """When the task began."""


@dataclass
class _Look:
    """Adds up what the processes of a store use; those that end within one look are missed."""

    store: Path
    tasks: dict[str, Use] = field(default_factory=dict)
    history: list[tuple[float, float]] = field(default_factory=list)
    """When, and CPU seconds of all until then."""
    temporary_bytes: int = 0
    _ours: dict[int, bool] = field(default_factory=dict)
    _seen: dict[int, _Seen] = field(default_factory=dict)

    def once(self) -> None:
        """Look at every process."""
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended, or is not ours
                if self._is_ours(folder):
                    self._add(folder)
        self.history.append((time.monotonic(), sum(seen.cpu_seconds for seen in self._seen.values())))
        self.temporary_bytes = max(self.temporary_bytes, folder_bytes(self.store / "shards"))

    def _is_ours(self, folder: Path) -> bool:
        number = int(folder.name)
        if number not in self._ours:
            ours = f"PUBRAY_STORE={self.store}\0".encode() in (folder / "environ").read_bytes()
            self._ours[number] = ours
        return self._ours[number]

    def _add(self, folder: Path) -> None:
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        if "RssAnon" not in status:
            return  # it has ended
        reads = dict(line.split(": ") for line in (folder / "io").read_text().splitlines())
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        task = _task((folder / "cmdline").read_bytes().decode(errors="replace"))
        anonymous, mapped, shared, mark = (
            int(status[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile", "RssShmem", "VmHWM")
        )
        before = self._seen.get(int(folder.name), _Seen())
        cpu = (int(fields[11]) + int(fields[12])) / TICKS
        kept = before.anonymous if task == before.task else anonymous
        now = _Seen(cpu, int(reads["rchar"]), int(reads["read_bytes"]), task, kept)
        use = self.tasks.setdefault(task, Use())
        use.cpu_seconds += now.cpu_seconds - before.cpu_seconds
        use.asked_bytes += now.asked_bytes - before.asked_bytes
        use.disk_bytes += now.disk_bytes - before.disk_bytes
        use.peak_anonymous = max(use.peak_anonymous, anonymous)
        use.peak_grown = max(use.peak_grown, anonymous - kept)
        use.peak_mapped = max(use.peak_mapped, mapped)
        use.peak_shared = max(use.peak_shared, shared)
        use.high_water = max(use.high_water, mark)
        self._seen[int(folder.name)] = now


def _task(command: str) -> str:
    """Return a Ray task's name, `job` for the job's own process, and `Ray itself` for the rest."""
    if found := re.match(r"ray::([a-z_]+)\b", command):
        return found[1]
    if command.startswith("ray::IDLE"):
        return "workers, idle"
    return "job" if "\0-m\0jobs\0" in command else "Ray itself"


def folder_bytes(folder: Path) -> int:
    """Return what the files below a folder take; they may go meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size
    return total

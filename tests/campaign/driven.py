"""A store that is driven by the command line of a checkout, and what its files say is served, by numpy and pyarrow."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from tests.campaign.world import Alive, Record
from tests.support.processes import kill_all

LONGEST = 300
"""Seconds that a command may take."""
DISK_BYTES = 1 << 27
"""Of the disk that a store has."""


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    error: str

    @property
    def last(self) -> str:
        """The line that says why."""
        return (self.error.strip().splitlines() or [""])[-1]


class Served(NamedTuple):
    """What CURRENT names, row by row."""

    version: str
    alive: Alive
    faults: list[str]
    """What is wrong with it by itself."""


class Store:
    """One store, and the checkout whose commands work on it."""

    def __init__(self, tree: Path, folder: Path, config: Path) -> None:
        self._tree, self.folder, self._config = tree, folder, config
        folder.mkdir()
        mounting = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
        self.disk = os.geteuid() == 0 and subprocess.run(mounting, capture_output=True, check=False).returncode == 0
        """The store has a small disk of its own, which can be filled: only root may do that."""
        self.settings: dict[str, object] = {}
        self._vectors: dict[tuple[str, str], np.ndarray[Any, Any]] = {}

    def command(self, *arguments: str) -> list[str]:
        """Return what is run: the words of `pubray …` with the settings of the moment."""
        settings = [word for key, value in self.settings.items() for word in ("--set", f"{key}={value}")]
        return [sys.executable, "-m", "jobs", "--config", str(self._config), *settings, *arguments]

    @contextmanager
    def started(self, *arguments: str, ahead: float = 0) -> Iterator[subprocess.Popen[str]]:
        """Start a command in a session of its own, its clock so many seconds ahead."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "PUBRAY_"))}
        paths = [str(self._tree), *([str(Path(__file__).parent / "clock")] if ahead else [])]
        process = subprocess.Popen(
            self.command(*arguments),
            cwd=self._tree,
            env={
                **kept,
                "PUBRAY_STORE": str(self.folder),
                "PYTHONPATH": os.pathsep.join(paths),
                "CAMPAIGN_CLOCK": str(ahead),
                "PYTHONFAULTHANDLER": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()

    def run(self, *arguments: str, ahead: float = 0) -> Done:
        """Run a command to its end."""
        with self.started(*arguments, ahead=ahead) as process:
            return end_of(process)

    def kill(self) -> None:
        """Kill all that works on the store, as a power cut does."""
        kill_all(str(self.folder))

    def close(self) -> None:
        """Kill it, and give its disk back."""
        self.kill()
        if self.disk:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    @contextmanager
    def short_of_room(self, room: int | None) -> Iterator[None]:
        """Leave so many bytes on the disk, None: let it not be written."""
        filler = self.folder / ".filler"
        if room is None:
            self._remount("ro")
        else:
            free = os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize
            filler.write_bytes(bytes(max(0, free - room)))
        try:
            yield
        finally:
            if room is None:
                self._remount("rw")
            filler.unlink(missing_ok=True)

    def _remount(self, how: str) -> None:
        self.kill()
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.folder)], check=True)

    def files(self, kind: str) -> int:
        """How many files there are of a kind."""
        return sum(file.is_file() for file in (self.folder / kind).rglob("*"))

    def current(self) -> dict[str, Any]:
        """What CURRENT says; empty before the first promotion."""
        path = self.folder / "CURRENT"
        found: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
        return found

    def version(self, name: str) -> dict[str, Any]:
        """A version's manifest."""
        found: dict[str, Any] = json.loads((self.folder / "versions" / f"{name}.json").read_bytes())
        return found

    def served(self) -> Served:
        """Read what CURRENT names: PMIDs, titles, abstracts and vectors of its live rows."""
        name = self.current().get("version")
        alive, faults = Alive(), list[str]()
        nothing: dict[str, Any] = {"segments": [], "tombstones": {}, "articles": 0}
        manifest = self.version(name) if name else nothing
        for segment in manifest["segments"]:
            folder = self.folder / "segments" / segment["id"]
            pmids = np.fromfile(folder / "pmids.i64", np.int64)
            rows = np.fromfile(folder / "rows.f16", np.float16).reshape(len(pmids), -1)
            articles = pa.ipc.open_file(folder / "articles.arrow").read_all().to_pydict()
            live = np.ones(len(pmids), bool)
            if dead := manifest["tombstones"].get(segment["id"]):
                [path] = (self.folder / "tombstones").glob(f"{dead['sha256']}.*")
                assert hashlib.sha256(path.read_bytes()).hexdigest() == dead["sha256"]
                live[np.fromfile(path, np.uint32)] = False
            for row in np.flatnonzero(live):
                record = Record(int(pmids[row]), articles["title"][row], articles["abstract"][row])
                if record.pmid in alive:
                    faults.append(f"PMID {record.pmid} is live twice")
                if "pmid" in articles and articles["pmid"][row] != record.pmid:
                    faults.append(f"row of PMID {record.pmid} has the article of {articles['pmid'][row]}")
                alive[record.pmid] = record
                vector = rows[row].astype(np.float32)
                first = self._vectors.setdefault((record.title, record.abstract), vector)
                if np.abs(first - vector).max() > 0.01:
                    faults.append(f"PMID {record.pmid} has the vector of another text")
        if len(alive) != manifest["articles"]:
            faults.append(f"the manifest says {manifest['articles']} articles, there are {len(alive)}")
        return Served(name or "", alive, faults)


def end_of(process: "subprocess.Popen[str]") -> Done:
    """Wait for a command."""
    out, error = process.communicate(timeout=LONGEST)
    return Done(process.returncode, out, error)


def wait(process: "subprocess.Popen[str]", condition: Callable[[], object]) -> bool:
    """Wait until a condition holds, or the command has ended; return whether it runs."""
    end = time.monotonic() + LONGEST
    while process.poll() is None and time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return process.poll() is None

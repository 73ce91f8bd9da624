"""A service as a process of its own, and what wrk measures of it; part of benchmarks/serve."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import psutil

from actors.search.index_searcher import IndexSearcher
from actors.store.local_store import LocalStore
from benchmarks.common.job_watch import ROOT
from jobs.common.console import log, say, table
from jobs.common.store import served_version
from schemas.config import Config
from schemas.search import SearchRequest

PORT = "8123"
CLIENTS = (1, 8, 32)
PACE = 0.7
"""Of what a service can do, for clients who pause."""
MODES = {
    "default": {},
    "haproxy": {"RAY_SERVE_ENABLE_HA_PROXY": "1", "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1"},
}
# Pauses are drawn as those of many independent clients are.
SCRIPT = """
local lines, at = {{}}, {first}
for line in io.lines("{queries}") do lines[#lines + 1] = line end
wrk.method, wrk.headers["content-type"] = "POST", "application/json"
request = function()
  at = at % #lines + 1
  return wrk.format(nil, "/v1/search", nil, lines[at])
end
if {pause} > 0 then
  delay = function() return math.floor(-math.log(1 - math.random()) * {pause}) end
end
"""


class Load(NamedTuple):
    """What some clients got in some seconds."""

    clients: int
    rate: float
    """Answers a second."""
    p50: float
    """Milliseconds; so with p99."""
    p99: float
    failed: int
    cpu_ms: float
    """Of the service, for each answer."""
    paced: bool = False


class Service(NamedTuple):
    """A service that answers."""

    url: str
    process: psutil.Process


@contextmanager
def serving(store: str, environment: Mapping[str, str]) -> Iterator[Service]:
    """Run `pubray serve`, which keeps no answers."""
    command = [sys.executable, "-m", "jobs", "--set", "serve.cached=0", "serve", "--port", PORT]
    with running(command, {"PUBRAY_STORE": store, "PYTHONPATH": str(ROOT), **environment}) as service:
        yield service


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Service]:
    """Run a command, and wait until it answers at `PORT`.

    Raises:
        SystemExit: it ended, or does not answer.
    """
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)
    service = Service(f"http://127.0.0.1:{PORT}", psutil.Process(process.pid))
    try:
        for _ in range(600):
            if process.poll() is not None or answers(service.url):
                break
            time.sleep(0.2)
        if process.poll() is not None or not answers(service.url):
            raise SystemExit(f"{' '.join(command)} does not answer; run it by hand to see why")
        yield service
    finally:
        process.terminate()
        process.wait(60)


def answers(url: str) -> bool:
    """Return whether a service says that it is ready."""
    try:
        return httpx.get(f"{url}/readyz", timeout=5).is_success
    except httpx.HTTPError:
        return False


def under_load(service: Service, queries: list[str], seconds: int, *, rerank: bool) -> list[Load]:
    """Return what wrk measures with some clients, one number of them after the other, and with clients who pause."""
    found: list[Load] = []
    with wrk_script(queries, rerank=rerank) as script:
        for clients in CLIENTS:
            run_wrk(service, script, clients, 2)
            found.append(run_wrk(service, script, clients, seconds))
        _, some, full = found
        # What they will wait for an answer is about what some clients do.
        pause = full.clients / (PACE * full.rate) * 1e3 - some.p50
        found.append(run_wrk(service, script, full.clients, seconds, pause)._replace(paced=True))
    return found


def texts(config: Config) -> list[str]:
    """Return a query for each article, of words of its title in another order: it names none."""
    version = served_version(LocalStore(config.store))
    rng = np.random.default_rng(0)
    titles = [
        title
        for segment in IndexSearcher(LocalStore(config.store), version).segments
        for title in segment.articles["title"].to_pylist()
        if len(title.split()) > 3
    ]
    return [" ".join(rng.permutation(titles[i].split())[:8]) for i in rng.permutation(len(titles))]


@contextmanager
def wrk_script(queries: list[str], *, rerank: bool) -> Iterator[Path]:
    """Yield the folder of the requests."""
    with tempfile.TemporaryDirectory() as folder:
        requests = (SearchRequest(query=query, rerank=rerank) for query in queries)
        lines = "".join(request.model_dump_json(exclude_defaults=True) + "\n" for request in requests)
        Path(folder, "queries.txt").write_text(lines)
        yield Path(folder)


def require_wrk() -> None:
    """See to it that there is wrk; SystemExit if it cannot be had."""
    subprocess.run([ROOT / "infra" / "install_programs.sh", "wrk"], check=True)
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed; as root on Debian it would be: install it")


def run_wrk(service: Service, folder: Path, clients: int, seconds: int, pause: float = 0) -> Load:
    """Run wrk with one thread, on queries that none before it has asked; `pause` in milliseconds."""
    asked = folder / "asked"
    first = int(asked.read_text()) if asked.exists() else 0
    script = folder / "search.lua"
    script.write_text(SCRIPT.format(queries=folder / "queries.txt", first=first, pause=max(pause, 0)))
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "--timeout", "60s", "-s", str(script)]
    log(f"wrk, {clients} clients, {seconds} s")
    before = cpu_seconds(service.process)
    output = subprocess.run([*command, service.url], capture_output=True, text=True, check=True).stdout
    load = parse(output, clients, cpu_seconds(service.process) - before)
    asked.write_text(str(first + round(load.rate * seconds) + clients))
    return load


def parse(output: str, clients: int, cpu: float) -> Load:
    """Read what wrk prints."""
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])  # type: ignore[index]
    count = int(re.search(r"(\d+) requests in", output)[1])  # type: ignore[index]
    units = {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}
    p50, p99 = (
        float(found[1]) * units[found[2]]
        for share in ("50", "99")
        if (found := re.search(rf"{share}%\s+([\d.]+)(us|ms|s|m)\b", output))
    )
    failed = sum(int(n) for n in re.findall(r"Non-2xx or 3xx responses: (\d+)", output))
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    failed += sum(map(int, errors.groups())) if errors else 0
    return Load(clients, rate, p50, p99, failed, cpu / max(count, 1) * 1e3)


def processes(top: psutil.Process) -> list[psutil.Process]:
    """Return a process and all below it."""
    return [top, *top.children(recursive=True)]


def cpu_seconds(top: psutil.Process) -> float:
    """Return the CPU seconds of a process and all below it that are alive."""
    total = 0.0
    for process in processes(top):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def show(name: str, loads: list[Load], alone: list[Load]) -> None:
    """Print beside one process, whose last line stands for clients who pause too."""
    bases = [*alone, alone[-1]][: len(loads)]
    rows = [
        [
            f"{load.clients}, {PACE:.0%}" if load.paced else str(load.clients),
            load.rate,
            load.rate / base.rate,
            load.p50,
            None if load.paced else load.p50 - base.p50,
            load.p99,
            load.p99 / load.p50,
            load.cpu_ms,
            load.cpu_ms / base.cpu_ms,
            load.failed,
        ]
        for load, base in zip(loads, bases, strict=True)
    ]
    times = ["p50 ms", "- one process", "p99 ms", "p99 / p50"]
    headers = ["clients", "answers/s", "/ one process", *times, "CPU ms", "/ one process", "failed"]
    gain = loads[len(CLIENTS) - 1].rate / loads[0].rate
    say(f"{name}\n{table(headers, rows)}\n{CLIENTS[-1]} clients get {gain:.1f} x the answers of one\n")

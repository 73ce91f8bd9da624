"""The search service: what HTTP and Ray Serve add to the same stages in one process. Ratios within one run.

    python -m benchmarks.serve [--store FOLDER] [--seconds 10] [--rerank] [--mode default|throughput|haproxy]

It needs an index (`python -m benchmarks.index quality` leaves one over all 33 thousand articles) and wrk, a small load
tool in C (Debian: apt-get install wrk), whose own CPU time is not counted. Every query is asked once, so that no cache
answers. Processes are started with the environment of a mode; CPU seconds are those of all of them.
"""

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import psutil

from actors.assembly import load_encoder, load_ranking, load_searcher
from actors.coalescer import Coalescer
from actors.service import SearchService
from actors.versions import Versions
from benchmarks.job_watch import ROOT
from benchmarks.made_store import folder_for
from jobs.config import load_config
from jobs.console import log, say, table
from jobs.store import open_layout, served_version
from jobs.threads import available_threads
from schemas.config import Config
from schemas.protocols import Lookup, Match, Query, Vector
from schemas.search import SearchRequest

PORT = "8123"
CLIENTS = (1, 8, 32)
BATCH = 16
CALLS = 2
MODES = {
    "default": {},
    "throughput": {"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1"},
    "haproxy": {"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1", "RAY_SERVE_ENABLE_HA_PROXY": "1"},
}
SCRIPT = """
local lines, at = {{}}, {first}
for line in io.lines("{queries}") do lines[#lines + 1] = line end
wrk.method, wrk.headers["content-type"] = "POST", "application/json"
request = function()
  at = at % #lines + 1
  return wrk.format(nil, "/v1/search", nil, lines[at])
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


def main() -> None:
    """Print the stages in one process, then the service under load."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, default=folder_for(33_000).with_name("index-quality") / "store")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rerank", action="store_true", help="with the re-ranker")
    parser.add_argument("--mode", choices=MODES, action="append", help="default: all of them")
    options = parser.parse_args()
    config = load_config(None, [], {"PUBRAY_STORE": str(options.store)})
    queries = texts(config)
    alone = in_process(config, queries, options.seconds, rerank=options.rerank)
    show("one process", alone, alone)
    for mode in options.mode or MODES:
        with serving(config, MODES[mode], "jobs", "serve", "--port", PORT) as (url, process):
            show(f"Ray Serve, {mode}", under_load(url, process, queries, options), alone)
    if not options.rerank:
        with serving(config, {}, "benchmarks.rival_service", config.store, PORT) as (url, process):
            show("FastAPI, sentence-transformers, faiss", under_load(url, process, queries, options), alone)


def texts(config: Config) -> list[str]:
    """Return a query for each article, of words of its title in another order: it names none."""
    version = served_version(open_layout(config))
    rng = np.random.default_rng(0)
    titles = [
        title
        for segment in load_searcher(config, version).segments
        for title in segment.articles["title"].to_pylist()
        if len(title.split()) > 3
    ]
    return [" ".join(rng.permutation(titles[i].split())[:8]) for i in rng.permutation(len(titles))]


def in_process(config: Config, queries: list[str], seconds: int, *, rerank: bool) -> list[Load]:
    """Ask the same service without HTTP, handles or other processes; what comes together goes together."""
    version, threads = served_version(open_layout(config)), available_threads()
    encoder, searcher = load_encoder(config, version, threads), load_searcher(config, version)

    class Together:
        def __init__(self) -> None:
            settings: Any = {"calls": CALLS, "batch": BATCH, "waiting": 1000}
            self._encode: Coalescer[Any, Vector] = Coalescer(encoder.encode, name="encoder", **settings)
            self._search: Coalescer[Lookup, list[Match]] = Coalescer(searcher.search, name="searcher", **settings)

        async def encode(self, items: list[Query]) -> list[Vector]:
            return await self._encode.ask(items)

        async def search(self, items: list[Lookup]) -> list[list[Match]]:
            return await self._search.ask(items)

    together: Any = Together()
    ranking = load_ranking(config, threads) if rerank else None
    service = SearchService(Versions(version), together, together, ranking)
    return [asyncio.run(ask(service, queries, clients, seconds)) for clients in CLIENTS]


async def ask(service: SearchService, queries: list[str], clients: int, seconds: int) -> Load:
    """Let clients ask one query after another; the first second does not count."""
    times: list[float] = []
    remaining = iter(queries)

    async def client(until: float) -> None:
        while (start := time.perf_counter()) < until:
            await service.search(SearchRequest(query=next(remaining)))
            times.append(time.perf_counter() - start)

    await asyncio.gather(*(client(time.perf_counter() + 1) for _ in range(clients)))
    times.clear()
    busy, start = time.process_time(), time.perf_counter()
    await asyncio.gather(*(client(time.perf_counter() + seconds) for _ in range(clients)))
    taken, used = time.perf_counter() - start, time.process_time() - busy
    p50, p99 = np.percentile(times, [50, 99]) * 1e3
    return Load(clients, len(times) / taken, p50, p99, 0, used / len(times) * 1e3)


@contextmanager
def serving(config: Config, environment: dict[str, str], *module: str) -> Iterator[tuple[str, psutil.Process]]:
    """Run a service as a process of its own."""
    command = [sys.executable, "-m", *module]
    url = f"http://127.0.0.1:{PORT}"
    values = {**os.environ, **environment, "PUBRAY_STORE": config.store, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=values, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(url, process)
        yield url, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait for the first answer.

    Raises:
        SystemExit: the service ended, or does not answer.
    """
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{url}/readyz", timeout=5).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"the service at {url} does not answer; run it by hand to see why")


def under_load(url: str, process: psutil.Process, queries: list[str], options: argparse.Namespace) -> list[Load]:
    """Return what wrk measures with some clients, one number of them after the other."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed; apt-get install wrk")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder, "queries.txt")
        requests = (SearchRequest(query=query, rerank=options.rerank) for query in queries)
        lines.write_text("".join(r.model_dump_json(exclude_defaults=True) + "\n" for r in requests))
        for number, clients in enumerate(CLIENTS):
            script = Path(folder, "search.lua")
            script.write_text(SCRIPT.format(queries=lines, first=number * len(queries) // len(CLIENTS)))
            run_wrk(url, script, clients, 2)
            before = cpu_seconds(process)
            output = run_wrk(url, script, clients, options.seconds)
            found.append(parse(output, clients, cpu_seconds(process) - before))
    return found


def run_wrk(url: str, script: Path, clients: int, seconds: int) -> str:
    """Run wrk with one thread."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "--timeout", "30s", "-s", str(script), url]
    log(f"wrk, {clients} clients, {seconds} s")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def parse(output: str, clients: int, cpu: float) -> Load:
    """Read what wrk prints."""
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])  # type: ignore[index]
    answers = int(re.search(r"(\d+) requests in", output)[1])  # type: ignore[index]
    units = {"us": 1e-3, "ms": 1, "s": 1e3}
    p50, p99 = (
        float(found[1]) * units[found[2]]
        for share in ("50", "99")
        if (found := re.search(rf"{share}%\s+([\d.]+)(us|ms|s)\b", output))
    )
    failed = sum(int(n) for n in re.findall(r"Non-2xx or 3xx responses: (\d+)", output))
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    failed += sum(map(int, errors.groups())) if errors else 0
    return Load(clients, rate, p50, p99, failed, cpu / max(answers, 1) * 1e3)


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and all below it that are alive."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def show(name: str, loads: list[Load], alone: list[Load]) -> None:
    """Print beside one process."""
    rows = [
        [*load[:2], load.rate / base.rate, load.p50, load.p50 - base.p50, load.p99, load.cpu_ms]
        for load, base in zip(loads, alone, strict=True)
    ]
    headers = [
        "clients",
        "answers/s",
        "of one process",
        "p50 ms",
        "more than it",
        "p99 ms",
        "CPU ms",
        "of it",
        "failed",
    ]
    worst = max(load.cpu_ms / base.cpu_ms for load, base in zip(loads, alone, strict=True))
    failed = sum(load.failed for load in loads)
    say(f"{name}\n{table(headers, rows)}\n{failed} failed; at most {worst:.2f} x the CPU time of one process\n")


if __name__ == "__main__":
    main()

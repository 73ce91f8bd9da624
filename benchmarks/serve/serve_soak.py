"""Part `soak` of benchmarks/serve: minutes of load, promotions to and fro, and a killed searcher."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import psutil

from actors.store.local_store import LocalStore
from benchmarks.serve.serve_load import CLIENTS, PACE, Load, Service, processes, run_wrk, serving, wrk_script
from jobs import index, promote
from jobs.common.console import log, say, table
from jobs.common.store import served_version, versions
from schemas.config import Config

SWAP_SECONDS = 20


def soak(config: Config, folder: Path, queries: list[str], minutes: float, environment: Mapping[str, str]) -> None:
    """Print what failed, and the memory of the service at each promotion."""
    config = two_versions(config, folder)
    first, second = (version.id for version in versions(LocalStore(config.store)))
    seconds = round(minutes * 60)
    with serving(config.store, environment) as service, wrk_script(queries, rerank=False) as script:
        run_wrk(service, script, CLIENTS[-1], 5)
        full = run_wrk(service, script, CLIENTS[-1], 10)
        pause = full.clients / (PACE * full.rate) * 1e3
        found: list[Load] = []
        load = threading.Thread(target=lambda: found.append(run_wrk(service, script, full.clients, seconds, pause)))
        start = time.monotonic()
        load.start()
        rows: list[list[object]] = []
        killed = False
        while (passed := time.monotonic() - start) < seconds - SWAP_SECONDS:
            if passed > seconds / 2 and not killed:
                killed = kill_searcher()
            promoted = second if served_version(LocalStore(config.store)).id == first else first
            begin = time.monotonic()
            promote.run(config, version=promoted)
            picked_up = answered_from(service, promoted) - begin
            rows.append([round(passed), promoted, picked_up, private_bytes(service) / 1e6])
            time.sleep(SWAP_SECONDS)
        load.join()
    say(table(["second", "promoted", "answers from it after s", "private memory MB"], rows))
    [result] = found
    say(
        f"{seconds} s, {result.rate * seconds:,.0f} answers, {result.rate / full.rate:.2f} of what {full.clients} "
        f"clients without a pause got; p50 {result.p50:.1f} ms, p99 {result.p99:.1f} ms; {len(rows)} promotions, "
        f"a searcher killed; {result.failed} failed"
    )


def two_versions(config: Config, folder: Path) -> Config:
    """Return the configuration of a copy of the store that has two versions."""
    store = folder / "soak"
    config = config.with_values(store=str(store))
    if store.exists():
        return config
    shutil.copytree(folder / "store", store, symlinks=True)
    other = config.with_values(index={"seed": 1})
    index.run(other, full=True)
    promote.run(other)
    return config


def kill_searcher() -> bool:
    """Kill a replica of the searcher."""
    for process in psutil.process_iter(["pid", "cmdline"]):
        if "ServeReplica:pubray:searcher" in " ".join(process.info["cmdline"] or []):
            log(f"killing searcher {process.pid}")
            os.kill(process.pid, signal.SIGKILL)
            return True
    raise SystemExit("there is no searcher to kill")


def answered_from(service: Service, version: str) -> float:
    """Return when a version began to answer."""
    deadline = time.monotonic() + 60
    while httpx.get(f"{service.url}/version", timeout=60).json()["version"] != version:
        if time.monotonic() > deadline:
            raise SystemExit(f"version {version} was not picked up within 60 s")
        time.sleep(0.05)
    return time.monotonic()


def private_bytes(service: Service) -> int:
    """Return the memory that a service shares with no other process."""
    return sum(process.memory_full_info().uss for process in processes(service.process))

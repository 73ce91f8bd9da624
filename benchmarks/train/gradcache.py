"""Part `cached` of benchmarks/train: what GradCache costs on 8 times the batch, and that its memory does not grow."""

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import torch

from actors.engine.cpu_threads import available_threads
from actors.train.peers import Alone
from actors.train.retriever.retriever_learner import RetrieverLearner
from actors.train.trainer import Trainer
from actors.train.training_run import TrainPlan
from benchmarks.train.train_rows import Row, ratio
from benchmarks.train.train_store import TrainStore
from schemas.config import Config

TIMES = 8


def cached(store: TrainStore, steps: int, rounds: int) -> Iterator[Row]:
    """Let the two take turns, over the same pairs; then look at the memory of each."""
    plan, large = store.plan(), {"batch": TIMES * store.batch, "cached": True}
    plain, whole = trainer(store.config(), plan), trainer(store.config(**large), plan)
    found: dict[str, list[float]] = {"plain": [], "cached": []}
    for number in range(rounds + 1):
        seconds = {"plain": timed(plain, TIMES), "cached": timed(whole, 1)}
        if number:  # before that, the kernels for each shape are made
            for name, times in found.items():
                times.append(seconds[name])
    for name, times in found.items():
        yield Row(f"pairs/s, {name}", TIMES * store.batch / median(times))
    yield Row(
        f"seconds a pair, cached on {TIMES} x the batch, of plain", ratio(found["cached"], found["plain"]), most=1.45
    )
    del plain, whole
    peaks = {}
    ways: dict[str, dict[str, Any]] = {"plain": {}, "cached": {"cached": True}, f"cached, {TIMES} x the batch": large}
    for name, values in ways.items():
        peaks[name] = fresh_peak(store.config(**values), plan)
        yield Row(f"peak GB, {name}", peaks[name] / 1e9)
    _, one, many = peaks.values()
    yield Row(f"peak memory on {TIMES} x the batch, of on one", many / one, most=1.05)


def trainer(config: Config, plan: TrainPlan) -> Trainer:
    """Return one of a single worker, without Ray."""
    return Trainer(RetrieverLearner(config, plan, Alone(), "cpu"), Alone(), config.train)


def timed(of: Trainer, steps: int) -> float:
    """Return the seconds of some steps."""
    start = time.perf_counter()
    for _ in range(steps):
        of.step()
    return time.perf_counter() - start


def fresh_peak(config: Config, plan: TrainPlan) -> int:
    """Return the bytes that a new process holds at most in which a step is made."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        return processes.submit(own_peak, config, plan).result()


def own_peak(config: Config, plan: TrainPlan) -> int:
    """Make a step; return the bytes that this process held at most, by the kernel's own mark."""
    torch.set_num_threads(available_threads())
    trainer(config, plan).step()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024

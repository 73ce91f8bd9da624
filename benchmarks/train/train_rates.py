"""Parts `speed`, `padding`, `start` and `workers` of benchmarks/train: `train-retriever` and who does the same."""

import json
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from actors.engine.cpu_threads import available_threads
from benchmarks.rivals.rivals import DATASETS, rival_command
from benchmarks.train.bare_loop import BareLoop
from benchmarks.train.same_batches import SameBatches
from benchmarks.train.train_rows import Row, ratio
from benchmarks.train.train_store import TrainStore
from schemas.layout import Layout

COUNTED = 50
"""Batches whose padding is counted."""
SAME_LOSS = 0.01
"""So much of it the losses of the first step may differ, in bfloat16."""


class Rate(NamedTuple):
    """What somebody trained."""

    pairs_per_second: float
    """Over the second half of the steps, all that lies between them included."""
    loss: float
    """Of the first step."""


def speed(store: TrainStore, steps: int, rounds: int) -> Iterator[Row]:
    """Let the three take turns."""
    plan, config = store.plan(), store.config()
    batches = SameBatches(config, plan)
    bare, half = BareLoop(batches.folders["article"], config.train), steps // 2
    _, first = bare.steps([batches.chunks(number) for number in range(half)])
    timed = [batches.chunks(number) for number in range(half, 2 * half)]
    found: dict[str, list[Rate]] = {"ray": [], "bare": [], "sentence-transformers": []}
    for _ in range(rounds):
        found["ray"].append(under_ray(store, plan.pairs[0], half))
        found["bare"].append(Rate(store.batch * half / bare.steps(timed)[0], first))
        found["sentence-transformers"].append(sentence_transformers(store, batches, half))
    losses = {name: rates[0].loss for name, rates in found.items()}
    if max(losses.values()) > (1 + SAME_LOSS) * min(losses.values()):
        raise SystemExit(f"they do not train alike, losses of the first step: {losses}")
    for name, loss in losses.items():
        yield Row(f"loss of the first step, {name}", loss)
    per_second = {name: [rate.pairs_per_second for rate in rates] for name, rates in found.items()}
    for name, rates in per_second.items():
        yield Row(f"pairs/s, {name}", median(rates))
    yield Row("under Ray, of a bare loop", ratio(per_second["ray"], per_second["bare"]), least=0.95)
    against = ratio(per_second["ray"], per_second["sentence-transformers"])
    yield Row("under Ray, of sentence-transformers' trainer", against, least=1.3)


def padding(store: TrainStore, steps: int, rounds: int) -> Iterator[Row]:
    """Count the tokens of some batches."""
    batches = SameBatches(store.config(), store.plan())
    masks = [chunk.tokens.mask for number in range(COUNTED) for chunk in batches.chunks(number)]
    yield Row("padding, of all tokens", 1 - sum(int(m.sum()) for m in masks) / sum(m.size for m in masks), most=0.1)


def start(store: TrainStore, steps: int, rounds: int) -> Iterator[Row]:
    """Make runs of one step: its state is written when it is done."""
    [pairs], seconds = store.plan().pairs, []
    for _ in range(rounds):
        forget(store)
        called = time.time()
        report = store.job("train-retriever", "--pairs", pairs, train__steps=1)
        of_step = store.batch / report["pairs_per_second"]
        seconds.append(written(store, report["run"], 1) - of_step - called)
    yield Row("seconds from the call to the first step", median(seconds), most=20)


def workers(store: TrainStore, steps: int, rounds: int) -> Iterator[Row]:
    """Let two workers and one take turns, on the same cores."""
    [pairs], cores = store.plan().pairs, available_threads()
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for count, rates in found.items():
            own = {"train__workers": count, "train__threads": max(1, cores // count)}
            rates.append(under_ray(store, pairs, steps // 2, **own).pairs_per_second)
    for count, rates in found.items():
        yield Row(f"pairs/s, workers: {count}", median(rates))
    yield Row("two workers, of one with the same cores", ratio(found[2], found[1]), least=0.9)


def under_ray(store: TrainStore, pairs: str, half: int, **values: Any) -> Rate:
    """Run `train-retriever` for twice as many steps; the states that it keeps say when both halves were done.

    So the time has all that is between steps in it, and one writing of a state.
    """
    forget(store)
    run = {"train__steps": 2 * half, "train__checkpoint_steps": half, **values}
    report = store.job("train-retriever", "--pairs", pairs, **run)
    seconds = written(store, report["run"], 2 * half) - written(store, report["run"], half)
    return Rate(store.batch * half / seconds, report["losses"][0]["contrast"])


def forget(store: TrainStore) -> None:
    """Remove the runs that were made: one that is done is not made again."""
    for folder in (Layout.training_run.folder, Layout.checkpoints.folder):
        shutil.rmtree(store.root / folder, ignore_errors=True)


def written(store: TrainStore, run: str, step: int) -> float:
    """Return when the state of a step was written, in seconds since 1970."""
    return (store.root / Layout.checkpoint(run, f"{step:08d}")).stat().st_mtime


def sentence_transformers(store: TrainStore, batches: SameBatches, half: int) -> Rate:
    """Let the rival train on the same batches, in a process of its own."""
    config, texts = store.config().train, [batches.texts(number) for number in range(2 * half)]
    keys = {"batch", "lr", "weight_decay", "clip", "temperature", "query_length", "article_length"}
    task = {
        **config.model_dump(include=keys),
        **{side: [text for of in texts for text in of[side]] for side in ("query", "article")},
        "model": str(batches.folders["article"]),
        "threads": available_threads(),
    }
    path = store.folder / "task.json"
    path.write_text(json.dumps(task))
    command = rival_command(Path(store.config().cache), DATASETS, "rivals/rival_sentence_trainer.py")
    # Of this environment: torch, transformers, sentence-transformers.
    shared = sysconfig.get_path("purelib")
    done = subprocess.run([*command, str(path), shared], stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    seconds = np.diff(found["ends"])[half - 1 :].sum()
    return Rate(store.batch * half / seconds, found["loss"])

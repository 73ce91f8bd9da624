"""What recipes of training are worth, on held-out pairs of each kind and on the order of what a search re-ranks.

    python -m benchmarks.train.quality --pairs ID [--store pubray-store] [--config FILE] [--seeds 0] [NAME …]

In this process, one recipe after the other: the configured one with the changes of `TRIES`. What is told is the
difference to the start model with its 95 % interval, of the half of the held-out articles that decides nothing. A run
that was stopped goes on, and one that is done is only measured again.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.engine.cpu_threads import available_threads
from actors.store.stores import open_store
from actors.train.held_out import HeldOut, read_held_out
from actors.train.peers import Alone
from actors.train.reranker.ordered_ndcg import ordered_ndcg
from actors.train.retriever.found_ndcg import found_ndcg
from actors.train.retriever.retriever_learner import RetrieverLearner
from actors.train.training_run import TrainingRun, TrainPlan
from jobs.common.config import load_config
from jobs.common.console import Progress, say, table
from retrieval.evaluate.scores import mean_difference
from retrieval.train.pairs.pair_sets import read_pair_set
from schemas.base import digest
from schemas.config import Config

TRIES: dict[str, dict[str, Any]] = {
    "as configured": {},
    "contrast alone": {"loss": "two-way", "distil": "none"},
    "contrast, random batches": {"loss": "two-way", "distil": "none", "neighbours": 1},
    "contrast with distillation": {"loss": "two-way"},
    "mined negatives": {"loss": "one-way", "distil": "none", "neighbours": 1, "hard_negatives": 1},
    "random batches": {"neighbours": 1},
    "200 steps": {"steps": 200, "warmup": 16},
    "half a soup": {"soup": 0.5},
    "the best soup": {"soup": "auto"},
    "half of the layers": {"frozen": 3},
    "LoRA": {"lora": {"rank": 16}, "lr": 5e-4},
    "batches of 256": {"batch": 256, "cached": True, "steps": 25, "warmup": 2},
    "dropout": {"dropout": True},
    "late interaction too": {"loss": "two-way", "late_weight": 1.0},
}
SECOND = 50
"""Queries of each kind whose second stage is measured: each takes as long as twenty."""
FUSED = "fused, all"
"""The order of the second stage, over all kinds."""
Found = dict[str, NDArray[np.float64]]


def main() -> None:
    """Print a row for each recipe and seed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tries", nargs="*", choices=[[], *TRIES])
    parser.add_argument("--pairs", required=True)
    parser.add_argument("--store", default="pubray-store")
    parser.add_argument("--config", default="infra/config/train-demo.toml")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    config = load_config(options.config, [], {"PUBRAY_STORE": options.store})
    store = open_store(config)
    plan = TrainPlan("retriever", "", (options.pairs,), read_pair_set(store, options.pairs).snapshot)
    held_out = read_held_out(config, plan, decides=False)
    fewer = config.with_values(train_reranker={"measured": SECOND})
    second = read_held_out(fewer, plan._replace(kind="reranker"), decides=False)
    start = measured(config, held_out, second)
    rows = [["start model", None, *(float(of.mean()) for of in start.values())]]
    for name in options.tries or TRIES:
        for seed in options.seeds:
            own = config.with_values(train=TRIES[name] | {"seed": seed})
            minutes, trained = tried(own, plan)
            found = measured(trained, held_out, second)
            rows.append([f"{name}, seed {seed}", minutes, *differences(start, found)])
            say(table(["recipe", "minutes", *start], rows))


def tried(config: Config, plan: TrainPlan) -> tuple[float, Config]:
    """Train; return the minutes of the steps that were made now, and the configuration of the trained model."""
    of = {"train": config.train.model_dump(mode="json"), "encoder": config.encoder.model_dump(mode="json")}
    run = digest({**of, "pairs": plan.pairs})
    learner = RetrieverLearner(config, plan._replace(run=run), Alone(), "cpu")
    training = TrainingRun(open_store(config), run, learner, Alone(), config.train)
    begun, progress = time.monotonic(), Progress("train", config.train.steps, "steps", "tokens")
    progress.done = training.begun_at
    for step in training.steps():
        progress.add(1, step.facts.tokens)
    progress.finish()
    minutes = (time.monotonic() - begun) / 60
    with tempfile.TemporaryDirectory() as work:
        return minutes, config.with_values(**training.model({}, Path(work)))


def measured(config: Config, held_out: list[HeldOut], second: list[HeldOut]) -> Found:
    """Return nDCG@10 of each query, by kind, and of the second stage."""
    threads = available_threads()
    ordered = ordered_ndcg(config, second, threads)
    return found_ndcg(config, held_out, threads) | {FUSED: np.concatenate([*ordered.values()])}


def differences(start: Found, found: Found) -> Iterator[str]:
    """Yield what is told of each kind."""
    for kind, before in start.items():
        yield str(mean_difference(found[kind] - before))


if __name__ == "__main__":
    main()

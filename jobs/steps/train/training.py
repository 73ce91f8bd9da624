"""Training over Ray Train: each worker a process, and what they tell of it.

Their state is kept in the store, and not by Ray Train, whose own names the version of Ray that it is for.
"""

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ray
import torch
from ray.train import FailureConfig, RunConfig
from ray.train.torch import TorchConfig, TorchTrainer
from ray.train.v2.api.config import ScalingConfig
from ray.train.v2.api.exceptions import TrainingFailedError, WorkerGroupError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.engine.engines import Device, peak_flops
from actors.fetch.stored_models import shapes_of, start_of, weight_bytes
from actors.store.stores import open_store
from actors.train.peers import Alone, TorchPeers
from actors.train.reranker.reranker_learner import RerankerLearner
from actors.train.retriever.retriever_learner import RetrieverLearner
from actors.train.training_run import Kind, TrainingRun, TrainPlan, TrainStep, run_config
from jobs.common.cluster.placement import free_cores, place
from jobs.common.console import Progress
from retrieval.operate import memory
from retrieval.train.curve import Point
from retrieval.train.flops import token_flops, tokens_at_once
from retrieval.train.pairs.pair_sets import read_pair_set
from schemas.config import Config
from schemas.errors import ClusterError, PubrayError

RETRIES = 3
"""So often workers that were lost are replaced; the others go on from the newest state with them."""
TELLING = 10
"""Steps between lines that tell of one."""
POLL = 0.2
"""Seconds between looks at what the workers say."""


LEARNERS: dict[Kind, Any] = {"retriever": RetrieverLearner, "reranker": RerankerLearner}


class Told(NamedTuple):
    """What workers say of a run."""

    begun_at: int
    """The step that they went on from."""
    steps: list[TrainStep]
    curve: list[Point]
    pairs: int = 0
    """Of a step."""
    flops: float = 0.0
    """Of a token; 0: they are not known."""
    peak: float = 1.0
    """FLOP/s that the devices of all workers could have."""
    left_out: int = 0
    """Pairs that have too few mined negatives."""
    changed: str | None = None
    """How workers that go on differ from those who made the steps before."""
    values: dict[str, Any] | None = None
    """Of a configuration that uses the trained model; None: it is not there yet."""

    def mfu(self, steps: list[TrainStep]) -> float:
        """Return which share of the peak steps had; 0 for none."""
        spent = sum(step.seconds for step in steps) or 1.0
        return self.flops * sum(step.facts.tokens for step in steps) / spent / self.peak


class Board:
    """An actor that workers tell their steps, and that tells them to end."""

    def __init__(self) -> None:
        self._told, self._over = Told(0, [], []), False

    def begin(self, told: Told) -> None:
        self._told = told

    def add(self, step: TrainStep, curve: list[Point]) -> bool:
        """Keep what is told of a step; return whether to end."""
        self._told.steps.append(step)
        self._told = self._told._replace(curve=curve)
        return self._over

    def done(self, values: dict[str, Any], curve: list[Point]) -> None:
        self._told = self._told._replace(values=values, curve=curve)

    def end(self) -> None:
        self._over = True

    def read(self, last: int) -> Told:
        """Return what is told, of the steps those after `last`."""
        return self._told._replace(steps=[step for step in self._told.steps if step.number > last])


def worker(of: dict[str, Any]) -> None:
    """Be one of the workers."""
    config, plan, board = of["config"], of["plan"], of["board"]
    torch.set_num_threads(of["threads"])
    peers = TorchPeers() if ray.train.get_context().get_world_size() > 1 else Alone()
    own = run_config(config, plan.kind)
    device: Device = "cuda" if own.num_gpus else "cpu"
    learner = LEARNERS[plan.kind](config, plan, peers, device)
    training = TrainingRun(open_store(config), plan.run, learner, peers, own)
    first = peers.rank == 0
    if first:
        flops = token_flops(shapes_of(start_of(config, plan.kind)[-1], config), own)
        peak = peers.size * peak_flops(device, getattr(torch, own.precision), of["threads"])
        told = Told(training.begun_at, [], [], own.batch * own.accumulate, flops, peak)
        ray.get(board.begin.remote(told._replace(left_out=learner.left_out, changed=training.changed)))
    notice = None
    for step in training.steps():
        training.over = first and ray.get(board.add.remote(step, training.curve))
        if (newest := ray.train.get_preemption_info()) != notice:  # a node is about to be taken away
            notice = newest
            training.keep()
    if training.finished:
        with tempfile.TemporaryDirectory() as work:
            curve = training.curve  # before the best state, which knows less of it, is loaded
            values = training.model(of["about"], Path(work))
            if first:
                ray.get(board.done.remote(values, curve))


def trained(config: Config, plan: TrainPlan, about: dict[str, Any], tell: Callable[[Told], None]) -> Told:
    """Train, or go on with it. `tell` is called again and again, with all that is told so far.

    On Ctrl-C the workers keep their state before they end.

    Raises:
        PubrayError: of a worker.
        ClusterError: workers were lost again and again.
    """
    # Beside the driver, for it ends with it; not on a node that may be taken away.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    board: Any = ray.remote(Board).options(num_cpus=0, scheduling_strategy=here).remote()
    failed: list[BaseException] = []

    def fit() -> None:
        try:
            _trainer(config, plan, about, board).fit()
        except BaseException as error:
            failed.append(error)

    # In a thread of its own, for in the main one Ray Train takes Ctrl-C, and ends workers at once.
    running = threading.Thread(target=fit, name="fit", daemon=True)
    running.start()
    of = run_config(config, plan.kind)
    progress, steps, begun_at = Progress("train", of.steps, "steps", "tokens"), list[TrainStep](), -1
    interrupted, evaluated = False, 0
    while True:
        try:
            alive = running.is_alive()
            told: Told = ray.get(board.read.remote(steps[-1].number if steps else 0))
            if told.begun_at != begun_at:
                if steps:
                    progress.log(f"workers were lost; others go on after step {told.begun_at}")
                begun_at, progress.done = told.begun_at, told.begun_at
                if told.changed:
                    progress.log(f"of {told.changed}: the same batches, but the last bits will be others")
            for step in told.steps:
                progress.add(1, step.facts.tokens)
                if step.number % TELLING == 0:
                    losses = ", ".join(f"{name} {loss:.4f}" for name, loss in step.facts.losses.items())
                    share = told.mfu((steps[-TELLING:] + told.steps)[-TELLING:])
                    mfu = f", MFU {share:.1%}" if share else ""
                    progress.log(f"step {step.number}: {losses}, gradient {step.facts.norm:.3f}{mfu}")
            for point in told.curve[evaluated:]:
                found = ", ".join(f"{signal} {ndcg:.3f}" for signal, ndcg in point.ndcg.items())
                progress.log(f"after step {point.step}: nDCG@10 {found}")
            evaluated = max(evaluated, len(told.curve))
            steps += told.steps
            tell(told._replace(steps=steps))
            if not alive:
                break
            time.sleep(POLL)
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted = True
            progress.log("is stopped after this step; run it again to go on")
            ray.get(board.end.remote())
    progress.finish()
    if interrupted:
        raise KeyboardInterrupt
    if failed:
        raise _cause(failed[0]) from None
    return told._replace(steps=steps)


def _trainer(config: Config, plan: TrainPlan, about: dict[str, Any], board: Any) -> TorchTrainer:
    of = run_config(config, plan.kind)
    threads = of.threads or max(1, free_cores(config, "train") // of.workers)
    sets = [read_pair_set(open_store(config), name).counts.values() for name in plan.pairs]
    pairs = sum(sum(of_signal.values()) for of_set in sets for of_signal in of_set)
    weights = weight_bytes(start_of(config, plan.kind)[-1], config)
    held = memory.of_trainer(weights, tokens_at_once(of), pairs)
    reserved = place(config.placement, "train", held, cores=threads, gpus=of.num_gpus)
    return TorchTrainer(
        worker,
        train_loop_config={"config": config, "plan": plan, "board": board, "threads": threads, "about": about},
        torch_config=TorchConfig(backend="nccl" if of.num_gpus else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=of.workers,
            use_gpu=of.num_gpus > 0,
            resources_per_worker={"CPU": threads, "GPU": of.num_gpus, "memory": reserved["memory"]},
            label_selector=reserved.get("label_selector"),
        ),
        run_config=RunConfig(
            storage_path=tempfile.mkdtemp(prefix="pubray-train-"),
            failure_config=FailureConfig(max_failures=RETRIES),
        ),
    )


def _cause(error: BaseException) -> BaseException:
    """Return what a worker raised, or that it was lost."""
    if isinstance(error, WorkerGroupError):
        for failure in error.worker_failures.values():
            if isinstance(cause := getattr(failure, "cause", None) or failure, PubrayError):
                return cause
    if isinstance(error, TrainingFailedError):
        why = " ".join(str(error).split())[-300:]
        return ClusterError(f"training was lost {RETRIES + 1} times ({why}); its state is kept, run it again to go on")
    return error

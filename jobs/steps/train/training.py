"""Training over Ray Train: each worker a process, and what they tell of it.

Their state is kept in the store, and not by Ray Train, whose own names the version of Ray that it is for.
"""

import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import ray
import torch
from numpy.typing import NDArray
from ray.train import FailureConfig, RunConfig
from ray.train.torch import TorchConfig, TorchTrainer
from ray.train.v2.api.config import ScalingConfig
from ray.train.v2.api.exceptions import TrainingFailedError, WorkerGroupError

from actors.fetch.stored_models import weight_bytes
from actors.train.held_out import HeldOut
from actors.train.peers import Alone, TorchPeers
from actors.train.retriever_training import RetrieverTraining, TrainPlan, TrainStep
from jobs.common.cluster.placement import free_cores, place
from jobs.common.console import Progress
from retrieval.evaluate.scores import paired_difference
from retrieval.operate import memory
from schemas.config import Config
from schemas.encoder import EncoderSpec
from schemas.errors import ClusterError, PubrayError
from schemas.training_report import HeldOutFigures

RETRIES = 3
"""So often workers that were lost are replaced; the others go on from the newest state with them."""
TELLING = 10
"""Steps between lines that tell of one."""
POLL = 0.2
"""Seconds between looks at what the workers say."""


class Told(NamedTuple):
    """What workers say of a run."""

    begun_at: int
    """The step that they went on from."""
    steps: list[TrainStep]
    encoder: EncoderSpec | None
    """By which the trained model is used; None: it is not there yet."""


class Board:
    """An actor that workers tell their steps, and that tells them to end."""

    def __init__(self) -> None:
        self._told, self._over = Told(0, [], None), False

    def begin(self, step: int) -> None:
        self._told = Told(step, [], None)

    def add(self, step: TrainStep) -> bool:
        """Keep what is told of a step; return whether to end."""
        self._told.steps.append(step)
        return self._over

    def done(self, encoder: EncoderSpec) -> None:
        self._told = self._told._replace(encoder=encoder)

    def end(self) -> None:
        self._over = True

    def read(self, last: int) -> Told:
        """Return what is told, of the steps those after `last`."""
        return self._told._replace(steps=[step for step in self._told.steps if step.number > last])


def worker(of: dict[str, Any]) -> None:
    """Be one of the workers."""
    config, board, context = of["config"], of["board"], ray.train.get_context()
    torch.set_num_threads(of["threads"])
    peers = TorchPeers() if context.get_world_size() > 1 else Alone()
    training = RetrieverTraining(config, of["plan"], peers, "cuda" if config.train.num_gpus else "cpu")
    first = peers.rank == 0
    if first:
        ray.get(board.begin.remote(training.begun_at))
    for step in training.steps():
        training.over = first and ray.get(board.add.remote(step))
    if first and training.trainer.done == config.train.steps:
        with tempfile.TemporaryDirectory() as work:
            ray.get(board.done.remote(training.model(of["about"], Path(work))))


def trained(config: Config, plan: TrainPlan, about: dict[str, Any]) -> Told:
    """Train, or go on with it.

    On Ctrl-C the workers keep their state before they end.

    Raises:
        PubrayError: of a worker.
        ClusterError: workers were lost again and again.
    """
    board: Any = ray.remote(Board).options(num_cpus=0).remote()
    failed: list[BaseException] = []

    def fit() -> None:
        try:
            _trainer(config, plan, about, board).fit()
        except BaseException as error:
            failed.append(error)

    # In a thread of its own, for in the main one Ray Train takes Ctrl-C, and ends workers at once.
    running = threading.Thread(target=fit, name="fit", daemon=True)
    running.start()
    progress, steps, begun_at = Progress("train", config.train.steps, "steps", "tokens"), list[TrainStep](), -1
    interrupted = False
    while True:
        try:
            alive = running.is_alive()
            told: Told = ray.get(board.read.remote(steps[-1].number if steps else 0))
            if told.begun_at != begun_at:
                begun_at, progress.done = told.begun_at, told.begun_at
            for step in told.steps:
                progress.add(1, step.tokens)
                if step.number % TELLING == 0:
                    losses = ", ".join(f"{name} {loss:.4f}" for name, loss in step.facts.losses.items())
                    progress.log(f"step {step.number}: {losses}, gradient {step.facts.norm:.3f}")
            steps += told.steps
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


@ray.remote
def compare(config: Config, trained: EncoderSpec, plan: TrainPlan, threads: int) -> dict[str, HeldOutFigures]:
    """Measure the start model and the trained one by what was held out."""
    held_out = HeldOut(config, plan.pairs, plan.snapshot, config.train.measured)
    before = held_out.measure(config, threads)
    after = held_out.measure(config.model_copy(update={"encoder": trained}), threads)
    return {
        signal: HeldOutFigures(
            queries=len(old),
            before=old.mean(),
            after=after[signal].mean(),
            difference=paired_difference(_numbered(old), _numbered(after[signal])),
        )
        for signal, old in before.items()
    }


def _numbered(values: NDArray[np.float64]) -> dict[str, float]:
    return {str(number): float(value) for number, value in enumerate(values)}


def compared(config: Config, trained: EncoderSpec, plan: TrainPlan) -> dict[str, HeldOutFigures]:
    """Compare the trained model with the one that it came of."""
    threads = free_cores(config.placement.check)
    held = 2 * memory.of_engine(weight_bytes(config.encoder.article, config))
    task = compare.options(**place(config.placement, "check", held, cores=threads))
    figures: dict[str, HeldOutFigures] = ray.get(task.remote(config, trained, plan, threads))
    return figures


def _trainer(config: Config, plan: TrainPlan, about: dict[str, Any], board: Any) -> TorchTrainer:
    of = config.train
    threads = of.threads or max(1, free_cores(config.placement.train) // of.workers)
    held = memory.of_trainer(weight_bytes(config.encoder.article, config), of.batch * of.article_length)
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

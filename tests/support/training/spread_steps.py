"""What workers that speak over gloo compute of models that are spread over them."""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from actors.store.local_store import LocalStore
from actors.train.peers import Peers, TorchPeers
from actors.train.reranker.reranker_learner import RerankerLearner
from actors.train.retriever.retriever_learner import RetrieverLearner
from actors.train.training_run import Kind, TrainingRun, TrainPlan, run_config
from schemas.config import Config
from schemas.layout import Layout
from tests.support.training import made_queries, made_steps
from tests.support.training.made_steps import MadeLearner

SPREAD: dict[str, Any] = {"spread": True}
CASES: dict[str, dict[str, Any]] = {
    **{name: made_steps.CASES[name] for name in ("two-way", "both, two towers, cached")},
    "low rank, computed again": {
        "loss": "two-way",
        "lora": {"rank": 3},  # which two workers hold unequal parts of
        "dropout": True,
        "checkpoint_activations": True,
    },
}
HALF: dict[str, Any] = {"loss": "two-way", "precision": "bfloat16"}
RERANKER: dict[str, Any] = {"distil": "scores", "distil_weight": 0.7, "teacher_temperature": 0.3}
RUN: dict[str, Any] = {"loss": "two-way", "accumulate": 2, "dropout": True, "steps": 3, "checkpoint_steps": 2}
STATES = (3, 2)
OF_BOTH: dict[str, Any] = {
    "batch": 4,
    "steps": 3,
    "warmup": 1,
    "lr": 1e-3,
    "precision": "float32",
    "lora": {"rank": 3},
    "evaluate_every": 3,
    "evaluated": 3,
}
VALUES: dict[str, Any] = {
    "train": {**OF_BOTH, "neighbours": 2, "chunk": 3, "soup": "auto", "loss": "two-way"},
    "train_reranker": {**OF_BOTH, "hard_negatives": 2, "length": 24},
    "engine": {"kind": "torch", "precision": "float32"},
}
KINDS: tuple[Kind, Kind] = ("retriever", "reranker")
LEARNERS: dict[Kind, Any] = {"retriever": RetrieverLearner, "reranker": RerankerLearner}


def run(store: LocalStore, name: str, encoder: Path, peers: Peers, **values: Any) -> tuple[TrainingRun, MadeLearner]:
    learner = MadeLearner(encoder, {**RUN, **values}, peers)
    return TrainingRun(store, name, learner, peers, learner.config), learner


def vectors(store: LocalStore, name: str, of: tuple[TrainingRun, MadeLearner]) -> dict[str, torch.Tensor]:
    """Those of the states of a run, one after the other."""
    found: dict[str, torch.Tensor] = {}
    for step in STATES:
        of[0].trainer.load(store.local(Layout.checkpoint(name, f"{step:08d}")))
        found |= {f"{side} {step}": vectors for side, vectors in of[1].vectors().items()}
    return found


def model(config: Config, snapshot: str, kind: Kind, peers: Peers, work: Path) -> dict[str, Any]:
    """What the last state of a run on made pairs is: the values of its configuration, and what was found on the way."""
    plan = TrainPlan(kind, f"{kind} of {peers.size}", ("made",), snapshot)
    learner = LEARNERS[kind](config, plan, peers, "cpu")
    training = TrainingRun(LocalStore(config.store), plan.run, learner, peers, run_config(config, kind))
    assert len([*training.steps()]) == 3
    found = [point.ndcg["title"] for point in training.curve]
    return {"found": found, "values": learner.model({}, work / plan.run)}


def main() -> None:
    """Be worker RANK of SIZE: ENCODER CLASSIFIER OUT RANK SIZE."""
    encoder, classifier, out = map(Path, sys.argv[1:4])
    rank, size = map(int, sys.argv[4:])
    torch.set_num_threads(1)
    meeting, patience = f"file://{out / 'meeting'}", timedelta(seconds=120)
    torch.distributed.init_process_group("gloo", meeting, rank=rank, world_size=size, timeout=patience)
    peers = TorchPeers()
    for name, values in {**CASES, "half": HALF}.items():
        save_file(made_steps.gradients(encoder, values | SPREAD, peers), out / f"{name}-{rank}.safetensors")
    found = made_queries.gradients(classifier, RERANKER | SPREAD, peers)
    peers.add(*(of for name, of in found.items() if name.startswith("loss")))
    save_file(found, out / f"reranker-{rank}.safetensors")

    store = LocalStore(str(out / "runs"))
    whole, (stopped, _) = (run(store, name, encoder, peers, **SPREAD) for name in ("whole", "stopped"))
    held = sum(of.to_local().numel() for of in whole[1].learnt().values())  # type: ignore[attr-defined]
    norms = [step.facts.norm for step in whole[0].steps()]
    (out / f"whole-{rank}.json").write_text(json.dumps({"held": held, "norms": norms}))
    for step in stopped.steps():
        stopped.over = step.number == 1
    torch.distributed.barrier()  # the state is there
    assert len([*run(store, "stopped", encoder, peers, **SPREAD)[0].steps()]) == 1
    torch.distributed.barrier()
    save_file(vectors(store, "whole", whole), out / f"vectors-{rank}.safetensors")

    config = Config.model_validate_json((out / "config.json").read_text())
    own = config.with_values(train=SPREAD, train_reranker=SPREAD)
    for kind in KINDS:
        of_model = model(own, (out / "snapshot").read_text(), kind, peers, out / "work")
        (out / f"{kind}-{rank}.json").write_text(json.dumps(of_model))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()

"""Gradients and steps of a tiny model, by one process and by several that speak over gloo."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.distributed.tensor import DTensor

from actors.train.adapted_models import prepared
from actors.train.learner import BatchFacts
from actors.train.peers import Alone, Peers, TorchPeers
from actors.train.retriever.gradients import Gradients, TextBatch
from actors.train.retriever.trained_towers import Side, Towers
from actors.train.spread_models import gathered, placed, whole
from actors.train.trainer import Trainer
from retrieval.embed.tokens import Tokens
from schemas.training import TrainConfig
from tests.support.models import tiny

PAIRS, NEGATIVES = 7, 7
PLAIN: dict[str, Any] = {
    "batch": PAIRS,
    "neighbours": 1,
    "chunk": 2,
    "precision": "float32",
    "temperature": 0.3,
    "teacher_temperature": 0.2,
    "distil": "none",
    "steps": 6,
    "warmup": 1,
    "lr": 1e-3,
}
CASES: dict[str, dict[str, Any]] = {
    "two-way": {"loss": "two-way"},
    "two-way, cached": {"loss": "two-way", "cached": True},
    "one-way, unmasked": {"loss": "one-way", "masks": ()},
    "distillation": {"distil": "maxsim"},
    "scores": {"loss": "one-way", "distil": "scores", "hard_negatives": 1},
    "late": {"loss": "two-way", "late_weight": 0.5, "late_temperature": 0.2},
    "late, two towers, cached": {"distil": "maxsim", "late_weight": 2, "untied": True, "cached": True},
    "both, two towers, cached": {"loss": "two-way", "distil": "maxsim", "untied": True, "cached": True},
    "dropout": {"loss": "two-way", "dropout": True},
    "lora": {"loss": "two-way", "lora": {"rank": 2}},
    "checkpointed": {"loss": "two-way", "checkpoint_activations": True},
    "dropout, cached": {"loss": "two-way", "dropout": True, "cached": True},
}


def made_batch(seed: int = 0, *, scored: bool = False) -> TextBatch:
    """Pairs of unequal weights and lengths; two of one query, two of one text, one of them a hard negative."""
    rng = np.random.default_rng(seed)
    count = PAIRS + NEGATIVES

    def texts(number: int, most: int) -> list[Tokens]:
        ids = [rng.integers(4, 16, rng.integers(2, most)).astype(np.int32) for _ in range(number)]
        return [Tokens(of, np.zeros_like(of)) for of in ids]

    query_keys, text_keys = np.arange(PAIRS), np.arange(count)
    query_keys[3] = query_keys[1]
    text_keys[4], text_keys[PAIRS + 1] = text_keys[2], text_keys[0]
    return TextBatch(
        {"query": texts(PAIRS, 6), "article": texts(count, 20)},
        rng.random(PAIRS, np.float32) + 0.1,
        query_keys,
        text_keys,
        rng.random((PAIRS, 2), np.float32) if scored else None,
    )


def trained(
    folder: Path, values: dict[str, Any], peers: Peers | None = None
) -> tuple[Towers, Towers | None, TrainConfig]:
    """Towers that differ from their start model, which is the teacher: of float64, unless they compute in bfloat16."""
    config = TrainConfig(**{**PLAIN, **values})
    spec = tiny.spec(folder)
    folders: Any = {"query": folder, "article": folder}
    dtype = torch.float64 if config.precision == "float32" else torch.float32
    towers, teacher = (Towers(spec, folders, config).to(dtype) for _ in range(2))
    towers.change(partial(prepared, config=config, task="FEATURE_EXTRACTION")).to(dtype)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in towers.learnt().values():
            parameter.add_(torch.randn_like(parameter), alpha=0.02)
    place = partial(placed, config=config, peers=peers or Alone(), device="cpu")
    return towers.change(place), teacher.change(place) if config.distil == "maxsim" else None, config


def gradients(folder: Path, values: dict[str, Any], peers: Peers) -> dict[str, torch.Tensor]:
    """The whole gradient by name, and the loss."""
    towers, teacher, config = trained(folder, values, peers)
    parts = Gradients(towers, teacher, peers, config).add(made_batch(scored=config.distil == "scores"), step=3)
    loss = sum(parts.values(), torch.zeros(1, dtype=torch.float64))
    found = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in towers.learnt().items()}
    found["loss"] = loss
    peers.add(*(of for of in found.values() if not isinstance(of, DTensor)))
    return gathered(found, kept=True)


class MadeLearner:
    """Learns from a batch that is made of its number."""

    left_out = 0

    def __init__(self, folder: Path, values: dict[str, Any], peers: Peers) -> None:
        self.towers, teacher, self.config = trained(folder, values, peers)
        self._gradients = Gradients(self.towers, teacher, peers, self.config)

    def learnt(self) -> dict[str, torch.nn.Parameter]:
        return self.towers.learnt()

    def add(self, batch: int, share: float) -> BatchFacts:
        return BatchFacts(self._gradients.add(made_batch(batch), batch, share), 10)

    def evaluate(self) -> dict[str, float]:
        """Where the weights are: as good as anything, to see that a state is what it was."""
        weights = [whole(p.detach()).double().abs().sum() for p in self.learnt().values()]
        return {"title": float(sum(weights)) % 1, "mesh": 0.5}

    def vectors(self) -> dict[Side, torch.Tensor]:
        return self._gradients.vectors(made_batch().texts)

    def model(self, about: dict[str, Any], work: Path) -> dict[str, Any]:
        return {"weights": {name: p.detach().clone() for name, p in self.learnt().items()}}


def trainer(folder: Path, values: dict[str, Any]) -> tuple[Trainer, MadeLearner]:
    learner = MadeLearner(folder, values, Alone())
    return Trainer(learner, Alone(), learner.config), learner


def main() -> None:
    """Write the gradients of all cases, as worker RANK of SIZE, that meet at a file: FOLDER OUT MEETING RANK SIZE."""
    folder, out, meeting, rank, size = sys.argv[1:]
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{meeting}", rank=int(rank), world_size=int(size))
    for name, values in CASES.items():
        save_file(gradients(Path(folder), values, TorchPeers()), f"{out}/{name}-{rank}.safetensors")
    torch.distributed.destroy_process_group()


def of_workers(out: Path, name: str, size: int) -> list[dict[str, torch.Tensor]]:
    """What each of the workers had."""
    return [load_file(out / f"{name}-{rank}.safetensors") for rank in range(size)]


if __name__ == "__main__":
    main()

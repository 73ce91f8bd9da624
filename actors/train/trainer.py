"""A retriever in training: steps, and a state that a run goes on from as if it had not been stopped."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from actors.train.gradients import Gradients, TextBatch
from actors.train.peers import Peers
from actors.train.trained_towers import Towers
from retrieval.train.schedule import rate
from schemas.training import TrainConfig

MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW keeps of each parameter, by its names."""


class StepFacts(NamedTuple):
    """What a step was."""

    losses: dict[str, float]
    """The parts, over all workers."""
    norm: float
    """Of the gradient, before it was clipped."""
    rate: float


class Trainer:
    """Trains towers. Every worker has one, and all of them make the same steps."""

    def __init__(self, towers: Towers, teacher: Towers | None, peers: Peers, config: TrainConfig) -> None:
        """Train `towers` in place. teacher: the start model, where it is learnt from; it stays as it is."""
        self.towers, self.done = towers, 0
        """Steps that are done."""
        self._peers, self._config = peers, config
        self._gradients = Gradients(towers, teacher, peers, config)
        parameters = [*towers.learnt().values()]
        self._optimizer = torch.optim.AdamW(
            [  # as transformers' trainer: what scales or shifts does not decay
                {"params": [p for p in parameters if p.dim() > 1], "weight_decay": config.weight_decay},
                {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
            ]
        )

    def step(self, batches: Sequence[TextBatch]) -> StepFacts:
        """Make a step on batches, each of which is contrasted within itself."""
        config = self._config
        now = rate(self.done, peak=config.lr, warmup=config.warmup, steps=config.steps, schedule=config.schedule)
        for group in self._optimizer.param_groups:
            group["lr"] = now
        self._optimizer.zero_grad()
        totals: dict[str, torch.Tensor] = {}
        for number, batch in enumerate(batches):
            parts = self._gradients.add(batch, self.done * len(batches) + number, 1 / len(batches))
            totals = {
                name: totals.get(name, torch.zeros_like(part)) + part / len(batches) for name, part in parts.items()
            }
        learnt = [*self.towers.learnt().values()]
        for parameter in learnt:
            if parameter.grad is None:  # of this worker's chunks none went through it
                parameter.grad = torch.zeros_like(parameter)
        self._peers.add(*(p.grad for p in learnt if p.grad is not None), *totals.values())
        norm = torch.nn.utils.clip_grad_norm_(learnt, config.clip)
        self._optimizer.step()
        self.done += 1
        return StepFacts({name: float(total) for name, total in totals.items()}, float(norm), now)

    def save(self, path: Path) -> None:
        """Write the state: weights, what AdamW knows of them, and how many steps are done."""
        tensors = {}
        for name, parameter in self.towers.learnt().items():
            tensors[f"weights.{name}"] = parameter.detach()
            for moment in MOMENTS:
                tensors[f"{moment}.{name}"] = self._optimizer.state[parameter][moment]
        save_file(tensors, path, {"steps": str(self.done)})

    def load(self, path: Path) -> None:
        """Go on from a state that was saved after a step."""
        with safe_open(path, "pt") as file:
            self.done = int(file.metadata()["steps"])
        tensors = load_file(path)
        for name, parameter in self.towers.learnt().items():
            with torch.no_grad():
                parameter.copy_(tensors[f"weights.{name}"])
            moments = {moment: tensors[f"{moment}.{name}"] for moment in MOMENTS}
            self._optimizer.state[parameter] = {"step": torch.tensor(float(self.done)), **moments}

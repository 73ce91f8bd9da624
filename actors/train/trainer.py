"""A model in training: steps, and a state that a run goes on from as if it had not been stopped."""

import json
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.distributed.tensor import DTensor

from actors.train.learner import Learner
from actors.train.peers import Peers
from actors.train.spread_models import gathered, part_of
from retrieval.train.curve import Point
from retrieval.train.schedule import rate
from schemas.training import RunConfig

MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW keeps of each parameter, by its names."""


class StepFacts(NamedTuple):
    """What a step was."""

    losses: dict[str, float]
    """The parts, over all workers."""
    norm: float
    """Of the gradient, before it was clipped."""
    tokens: int


class Trainer:
    """Trains a model in place. Every worker has one, and all of them make the same steps."""

    def __init__(self, learner: Learner, peers: Peers, config: RunConfig) -> None:
        self.done = 0
        """Steps that are done."""
        self.curve: list[Point] = []
        """What evaluations found so far."""
        self.made_by: str | None = None
        """Who made the steps until the state that was loaded: their last bits depend on it."""
        self._learner, self._peers, self._config = learner, peers, config
        self._learnt = learner.learnt()
        self._optimizer = torch.optim.AdamW(
            [  # as transformers' trainer: what scales or shifts does not decay
                {"params": [p for p in self._learnt.values() if p.dim() > 1], "weight_decay": config.weight_decay},
                {"params": [p for p in self._learnt.values() if p.dim() < 2], "weight_decay": 0.0},
            ]
        )

    @property
    def device(self) -> torch.device:
        return next(iter(self._learnt.values())).device

    @property
    def maker(self) -> str:
        """Who makes the steps."""
        return f"{self._peers.size} workers of {torch.get_num_threads()} threads"

    def step(self) -> StepFacts:
        """Make a step."""
        config, learnt = self._config, [*self._learnt.values()]
        now = rate(self.done, peak=config.lr, warmup=config.warmup, steps=config.steps, schedule=config.schedule)
        for group in self._optimizer.param_groups:
            group["lr"] = now
        self._optimizer.zero_grad()
        first, share = self.done * config.accumulate, 1 / config.accumulate
        facts = [self._learner.add(number, share) for number in range(first, first + config.accumulate)]
        totals = {name: share * sum(of.losses[name] for of in facts) for name in facts[0].losses}
        for parameter in learnt:
            if parameter.grad is None:  # of this worker's texts none went through it
                parameter.grad = torch.zeros_like(parameter)
        losses = [torch.as_tensor(total, device=self.device) for total in totals.values()]
        # What is spread is summed up already, with each pass.
        self._peers.add(*(p.grad for p in learnt if p.grad is not None and not isinstance(p.grad, DTensor)), *losses)
        norm = torch.nn.utils.clip_grad_norm_(learnt, config.clip)
        self._optimizer.step()
        self.done += 1
        tokens = sum(of.tokens for of in facts)
        return StepFacts(dict(zip(totals, map(float, losses), strict=True)), float(norm), tokens)

    def save(self, path: Path | None) -> None:
        """Write the state: weights, what AdamW knows of them, how many steps are done, and the curve.

        All workers call it; without a path one gives the others what it holds.
        """
        tensors = {}
        for name, parameter in self._learnt.items():
            tensors[f"weights.{name}"] = parameter.detach()
            for moment in MOMENTS:  # none before the first step
                tensors[f"{moment}.{name}"] = self._optimizer.state[parameter].get(moment, torch.zeros_like(parameter))
        state = gathered(tensors, kept=path is not None)
        if path:
            facts = {"steps": str(self.done), "curve": json.dumps(self.curve), "made by": self.maker}
            save_file(state, path, facts)

    def load(self, path: Path) -> None:
        """Go on from a state that was saved after a step."""
        with safe_open(path, "pt") as file:
            facts = file.metadata()
            self.done, self.curve = int(facts["steps"]), [Point(*point) for point in json.loads(facts["curve"])]
            self.made_by = facts.get("made by")
            for name, parameter in self._learnt.items():
                with torch.no_grad():
                    parameter.copy_(part_of(file.get_tensor(f"weights.{name}"), parameter))
                moments = {moment: part_of(file.get_tensor(f"{moment}.{name}"), parameter) for moment in MOMENTS}
                self._optimizer.state[parameter] = {"step": torch.tensor(float(self.done)), **moments}

from typing import Any

import pytest
import torch
from transformers import (
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
)

from retrieval.train.schedule import rate
from schemas.training import Schedule


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
@pytest.mark.parametrize("warmup", [0, 3])
def test_the_rate_is_that_of_transformers(schedule: Schedule, warmup: int) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    of: dict[str, Any] = {
        "constant": lambda: get_constant_schedule_with_warmup(optimizer, warmup),
        "linear": lambda: get_linear_schedule_with_warmup(optimizer, warmup, 10),  # type: ignore[no-untyped-call]
        "cosine": lambda: get_cosine_schedule_with_warmup(optimizer, warmup, 10),
    }
    theirs = of[schedule]()
    for step in range(10):
        assert rate(step, peak=0.5, warmup=warmup, steps=10, schedule=schedule) == pytest.approx(
            theirs.get_last_lr()[0]
        )
        optimizer.step()
        theirs.step()

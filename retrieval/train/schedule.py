"""The learning rate of a step: a pure function, so that a run that goes on needs no state of it."""

import math

from schemas.training import Schedule


def rate(step: int, *, peak: float, warmup: int, steps: int, schedule: Schedule) -> float:
    """Return the learning rate of step 0, 1, …: it rises in a line over `warmup` steps, then falls to 0 at `steps`.

    As transformers' `get_*_schedule_with_warmup`.
    """
    if step < warmup:
        return peak * step / warmup
    done = (step - warmup) / (steps - warmup)
    return peak * {"constant": 1.0, "linear": 1 - done, "cosine": 0.5 * (1 + math.cos(math.pi * done))}[schedule]

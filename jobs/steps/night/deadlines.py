"""Until when a night, and each of its stages, must be done."""

import math
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from jobs.common.broken_off import within
from schemas.config import NightConfig
from schemas.errors import OverdueError

GO_ON = "what is finished is kept, run it again to go on"


class Deadlines:
    """Those of a night that begins now."""

    def __init__(self, limits: NightConfig) -> None:
        self._seconds, self._end = limits.deadline_seconds, time.monotonic() + limits.deadline_seconds
        self._stages: Mapping[Any, float] = limits.stage_seconds

    def of(self, stage: str) -> AbstractContextManager[None]:
        """Give a stage the time that it may take, or what is left of the night's: OverdueError when it is over."""
        limit, left = self._stages.get(stage, math.inf), self._end - time.monotonic()
        if limit < left:
            why = f"{stage} took longer than night.stage_seconds.{stage} = {limit:g}"
        else:
            why = f"at {stage} the night took longer than night.deadline_seconds = {self._seconds:g}"
        return within(min(limit, left), OverdueError(f"{why}; {GO_ON}"))

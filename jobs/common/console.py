"""What a person sees: results on stdout; progress and logs on stderr, a bar on a terminal and plain lines elsewhere."""

import datetime
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import TextIOWrapper
from typing import TextIO

CLEAR = "\r\x1b[K"
KEPT_LINES = 10_000
LINE_SECONDS = 10.0
"""How often progress is logged where there is no terminal."""


_results: TextIO | None = None


@contextmanager
def results_only(*, at_end: bool = False) -> Iterator[None]:
    """Keep stdout for results: what libraries print there (Ray does, of its own errors) goes to stderr.

    `at_end`: the one result comes after this, and what is said until then goes to stderr too.
    """
    global _results
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal may know ASCII alone
            stream.reconfigure(errors="replace")
    _results = sys.stderr if at_end else sys.stdout
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _results = None


def say(text: str) -> None:
    """Print a result."""
    stream = _results or sys.stdout
    stream.write(text + "\n")
    stream.flush()


_kept: deque[str] = deque(maxlen=0)


def keep_lines() -> deque[str]:
    """Return where the last lines are that are logged from here on, with their times; there is one such place."""
    global _kept
    _kept = deque(maxlen=KEPT_LINES)
    return _kept


def log(text: str) -> None:
    """Print one line about the course of things."""
    _kept.append(f"{datetime.datetime.now(datetime.UTC):%H:%M:%S} {text.removeprefix(CLEAR)}")
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def fail(text: str, code: int) -> int:
    """Print why a job failed, and return the exit code."""
    log(f"pubray: {text}")
    return code


_shown: "Progress | None" = None


def doing() -> str:
    """Return how far the stage is that is shown: "embed, 3 of 30 rows"."""
    return f"{_shown.stage}, {_shown.done:,} of {_shown.total:,} {_shown.unit}" if _shown else ""


class Progress:
    """Counts what is done of a stage, and shows it with a rate and the time left."""

    def __init__(self, stage: str, total: int, unit: str, detail: str = "") -> None:
        """`total` units are to be done; `detail` is what else is counted, with a rate of its own."""
        global _shown
        self.stage, self.total, self.unit, self._detail = stage, total, unit, detail
        self._details = 0
        self._start = self._shown = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self.done = 0
        _shown = self

    def log(self, text: str) -> None:
        """Print a line about one unit, above the bar where there is one."""
        log(f"{CLEAR if self._terminal else ''}{self.stage:9} {text}")

    def add(self, count: int, details: int = 0) -> None:
        """Count units that were finished, and what they held."""
        self.done += count
        self._details += details
        now = time.monotonic()
        if now - self._shown > (0.1 if self._terminal else LINE_SECONDS):
            self._shown = now
            self._print(end=False)

    def finish(self) -> float:
        """Print the last line; return the seconds since the start."""
        self._print(end=True)
        return self.seconds

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def _print(self, *, end: bool) -> None:
        rate = self.done / max(self.seconds, 1e-3)
        text = f"{self.stage:9} {self.done:,} of {self.total:,} {self.unit}, {rate:,.1f}/s"
        if self._detail:
            text += f", {self._details:,} {self._detail}, {self._details / max(self.seconds, 1e-3):,.0f}/s"
        if not end and rate:
            text += f", {max(0, self.total - self.done) / rate:,.0f} s left"
        if end:
            text += f", {self.seconds:.1f} s"
        if end or not self._terminal:
            log(f"{CLEAR if self._terminal else ''}{text}")
        else:
            sys.stderr.write(f"{CLEAR}{text}")
            sys.stderr.flush()


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay out rows under headers; columns of numbers are flush right."""
    rows = list(rows)
    body = [list(headers), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*body, strict=True)]
    right = [all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(headers))]
    lines = [
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)).rstrip()
        for line in [body[0], ["-" * w for w in widths], *body[1:]]
    ]
    return "\n".join(lines)


def _text(cell: object) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, bool | str):
        return str(cell)
    if isinstance(cell, float):
        return f"{cell:,.3f}" if abs(cell) < 100 else f"{cell:,.1f}"
    return f"{cell:,}" if isinstance(cell, int) and abs(cell) > 9999 else str(cell)


def cut(text: str, width: int) -> str:
    """Shorten a text to fit a column."""
    return text if len(text) <= width else text[: width - 1] + "…"


def megabytes(size: int) -> str:
    """Return a size for a person."""
    return f"{size / 1e6:,.1f} MB"

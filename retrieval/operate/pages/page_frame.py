"""What the pages of runs have in common: a frame that tells how a run ended, a style, and how figures are written."""

import datetime
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from schemas.run import RunRecord

OUTCOMES = {
    "running": ("busy", "Running"),
    "done": ("good", "Done"),
    "nothing new": ("good", "Nothing new"),
    "update files are missing": ("warn", "Done, but update files are missing"),
    "held": ("warn", "Held: CURRENT was moved meanwhile"),
    "interrupted": ("warn", "Interrupted"),
    "checks failed": ("bad", "Checks failed"),
    "not served": ("bad", "Promoted, but not served"),
    "failed": ("bad", "Failed"),
    "lost": ("bad", "Lost: another run writes by now"),
    "died": ("bad", "Died"),
}
"""By what a run says of its end: how bad it is, and in words."""
BROKEN_OFF = ("running", "interrupted", "failed", "lost", "died")
"""Outcomes of which it is told how far the run was."""


class Head(NamedTuple):
    """What a page begins with."""

    run: RunRecord
    subject: str
    store: str
    mood: str
    headline: str
    warnings: Sequence[str]

    @property
    def seconds(self) -> float | None:
        """How long the run took, that has ended."""
        if self.run.finished is None:
            return None
        begun, ended = (datetime.datetime.fromisoformat(moment) for moment in (self.run.started, self.run.finished))
        return (ended - begun).total_seconds()


def head(run: RunRecord, subject: str, store: str, *, reached: str = "", warnings: Sequence[str] = ()) -> Head:
    """Return the head of a page; reached: how far the run was, which is told of one that is not done."""
    mood, words = in_words(run.outcome)
    return Head(run, subject, store, mood, words + (reached if run.outcome in BROKEN_OFF else ""), warnings)


def in_words(outcome: str) -> tuple[str, str]:
    """Return how bad an outcome is, and in words what it is; one of a later pubray is bad."""
    return OUTCOMES.get(outcome, ("bad", outcome.capitalize()))


def rendered(template: str, head: Head, **values: Any) -> str:
    """Return the page of a template that extends `page.html`: one HTML file that needs nothing else."""
    return _environment().get_template(template).render(head=head, **values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # a run goes on with the templates that it began with
    )
    environment.filters.update(duration=duration, size=size, usd=usd, minute=minute)
    return environment


def duration(seconds: float) -> str:
    """Return a time for a person: "12.3 s", "5 min 12 s", "2 h 05 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def size(count: float) -> str:
    """Return bytes for a person: "7 B", "1.2 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.1f} {unit}" if unit != "B" else f"{count:,.0f} B"
        count /= 1000
    return f"{count:,.1f} TB"


def usd(cost: float) -> str:
    """Return a cost for a person: two digits of cents, and of less."""
    return f"{cost:,.2f} USD" if cost >= 0.1 else f"{cost:.2g} USD"


def minute(moment: str) -> str:
    """Return a moment of a report up to its minute."""
    return f"{moment[:16].replace('T', ' ')} UTC"

"""What runs leave in a store: a report each, from the start on, and the list of them."""

import datetime
import json
from typing import Any

from retrieval.files.checked import parse_document, write_bytes
from schemas.errors import LostError, PubrayError
from schemas.layout import Layout
from schemas.run import Run, RunList
from schemas.store import Store

KEPT = 400
"""Runs in the list."""
RUNNING, DIED = "running", "died"
OUTCOMES = {5: "checks failed", 6: "held", 7: "not served", 8: "update files are missing", 130: "interrupted"}
"""By exit codes; others are failures."""


class Record:
    """The record of a run that is under way."""

    def __init__(self, store: Store, job: str) -> None:
        """Begin it. Of this job others that are said to be running died: nobody else writes."""
        for other in runs(store).runs:
            if other.job == job and other.outcome == RUNNING:
                _write(store, other.model_copy(update={"outcome": DIED}), {})
        self._store, self._run = store, _new(job)
        _write(store, self._run, {})

    def stage(self, name: str) -> None:
        """Say at which stage it is."""
        self._run = self._run.model_copy(update={"stage": name})
        _write(self._store, self._run, {})

    def end(self, outcome: str, values: dict[str, Any], version: str | None) -> None:
        """Keep the values of its report."""
        ended = {"outcome": outcome, "finished": _now(), "version": version}
        _write(self._store, self._run.model_copy(update=ended), values)


def record_of_done(store: Store, job: str, values: dict[str, Any]) -> None:
    """Keep the report of a run that is done."""
    _write(store, _new(job).model_copy(update={"outcome": "done", "finished": _now()}), values)


def outcome_of(error: BaseException) -> str:
    """Return how a run is said to have ended that raised this."""
    if isinstance(error, KeyboardInterrupt):
        return OUTCOMES[130]
    if isinstance(error, LostError):
        return "lost"
    return OUTCOMES.get(error.exit_code, "failed") if isinstance(error, PubrayError) else "failed"


def runs(store: Store) -> RunList:
    """Return the last runs, oldest first."""
    return _parsed(store, store.read(Layout.runs))


def _parsed(store: Store, content: bytes | None) -> RunList:
    return RunList() if content is None else parse_document(store.name(Layout.runs), content, RunList)


def _new(job: str) -> Run:
    now = datetime.datetime.now(datetime.UTC)
    return Run(run=f"{now:%Y%m%dT%H%M%S.%f}-{job}", job=job, started=_now(), outcome=RUNNING)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _write(store: Store, run: Run, values: dict[str, Any]) -> None:
    report = {**run.model_dump(exclude_none=True), **values}
    write_bytes(store, Layout.run_report(run.run), json.dumps(report, indent=1).encode())
    while True:
        content = store.read(Layout.runs)
        others = [one for one in _parsed(store, content).runs if one.run != run.run]
        listed = RunList(runs=tuple(sorted([*others, run], key=lambda one: one.run)[-KEPT:]))
        if store.swap(Layout.runs, content, listed.model_dump_json(indent=1, exclude_none=True).encode()):
            return

"""What runs leave in a store: a report each, those that take long from their start on and a page too, and the list."""

import datetime
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

from jobs.common.console import log
from retrieval.files.checked import parse_document, write_bytes
from retrieval.operate.pages.night_page import night_page
from retrieval.operate.pages.training_page import training_page
from schemas.errors import IntegrityError, LostError, PubrayError
from schemas.layout import Layout
from schemas.night_report import NightRecord
from schemas.run import TRAININGS, NightFigures, Run, RunList, RunRecord, TrainFigures
from schemas.store import Store
from schemas.training_report import TrainRecord

KEPT = 400
"""Runs in the list."""
FORMAT = 1
"""Of a report."""
Figures = NightFigures | TrainFigures | None
NIGHT = "nightly"
RECORDS: Mapping[str, type[RunRecord]] = {NIGHT: NightRecord, **dict.fromkeys(TRAININGS, TrainRecord)}
"""What is kept of a run, by its job; of other jobs it is what they say at their end, and nothing has a page."""
RUNNING, DIED = "running", "died"
OUTCOMES = {5: "checks failed", 6: "held", 7: "not served", 8: "update files are missing", 130: "interrupted"}
"""By exit codes; others are failures."""


class Record:
    """The record of a run that is under way. It is written meanwhile: a far store would keep each stage waiting."""

    def __init__(self, store: Store, job: str, training: str | None = None) -> None:
        """Begin it; training: of a run of it, its id.

        Others of this job that are said to be running died, for nobody else writes; of training those of this id.
        """
        self._store, self._run = store, _new(job, training)
        self.name = self._run.run
        self._writer, self._lock = ThreadPoolExecutor(1, thread_name_prefix="record"), Lock()
        self._news: dict[str, Any] | None = {}
        self._asked = [self._writer.submit(self._find_died), self._writer.submit(self._tell)]

    def stage(self, name: str, values: dict[str, Any], figures: Figures = None) -> None:
        """Say at which stage it is, and what is known of it by then."""
        with self._lock:
            self._run = self._run.model_copy(update={"stage": name, "figures": figures})
            self._news = values
        self._asked.append(self._writer.submit(self._tell))

    def _find_died(self) -> None:
        with _told():
            for other in runs(self._store).runs:
                same = (other.job, other.training) == (self._run.job, self._run.training)
                if same and other.outcome == RUNNING:
                    died = other.model_copy(update={"outcome": DIED})
                    _write(self._store, died, _told_before(self._store, other))

    def _tell(self) -> None:
        """Write the last of what was said, if it is not written yet."""
        with self._lock:
            run, values, self._news = self._run, self._news, None
        with _told():
            if values is not None:
                _write(self._store, run, values)

    def end(self, outcome: str, values: dict[str, Any], version: str | None, figures: Figures = None) -> None:
        """Keep the values of its report."""
        self._writer.shutdown()
        ended = {"outcome": outcome, "finished": _now(), "version": version, "figures": figures}
        _write(self._store, self._run.model_copy(update=ended), values)
        for asked in self._asked:
            asked.result()  # raises what was no failure of the store


@contextmanager
def _told() -> Iterator[None]:
    """Log what cannot be written: what is written next says it all again."""
    try:
        yield
    except (OSError, PubrayError) as error:
        log(f"record    is not written: {error}")


def record_of_done(store: Store, job: str, values: dict[str, Any]) -> None:
    """Keep the report of a run that is done."""
    _write(store, _new(job).model_copy(update={"outcome": "done", "finished": _now()}), values)


def outcome_of(error: BaseException) -> str:
    """Return how a run is said to have ended that raised this."""
    return "lost" if isinstance(error, LostError) else OUTCOMES.get(exit_code_of(error), "failed")


def exit_code_of(error: BaseException) -> int:
    """Return with which code a command ends that raised this."""
    if isinstance(error, KeyboardInterrupt):
        return 130
    return error.exit_code if isinstance(error, PubrayError) else 1


def runs(store: Store) -> RunList:
    """Return the last runs, oldest first."""
    return _parsed(store, store.read(Layout.runs))


def _parsed(store: Store, content: bytes | None) -> RunList:
    return RunList() if content is None else parse_document(store.name(Layout.runs), content, RunList)


def _new(job: str, training: str | None = None) -> Run:
    now = datetime.datetime.now(datetime.UTC)
    name = f"{now:%Y%m%dT%H%M%S.%f}-{job}"
    return Run(run=name, job=job, started=_now(), outcome=RUNNING, training=training)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _told_before(store: Store, run: Run) -> dict[str, Any]:
    """Return the values of the report that a run left which died; none if it was of another pubray."""
    key = Layout.run_report(run.run)
    with suppress(IntegrityError):
        told = parse_document(store.name(key), store.read(key) or b"", RECORDS[run.job])
        return told.model_dump(mode="json", exclude_unset=True, exclude=set(Run.model_fields))
    return {}


def _write(store: Store, run: Run, values: dict[str, Any]) -> None:
    report = {"format": FORMAT, **run.model_dump(exclude_none=True), **values}
    write_bytes(store, Layout.run_report(run.run), json.dumps(report, indent=1).encode())
    listed = _listed(store, run)
    if page := _page(report, listed, store):
        write_bytes(store, Layout.run_page(run.run), page.encode())


def _page(report: dict[str, Any], listed: RunList, store: Store) -> str | None:
    kind = RECORDS.get(report["job"])
    kept = kind.model_validate(report) if kind else None
    if isinstance(kept, NightRecord):
        return night_page(kept, listed.runs, store.root)
    return training_page(kept, store.root) if isinstance(kept, TrainRecord) else None


def _listed(store: Store, run: Run) -> RunList:
    """Put a run into the list, in the place of what was told of it before; return the list."""
    while True:
        content = store.read(Layout.runs)
        others = [one for one in _parsed(store, content).runs if one.run != run.run]
        listed = RunList(runs=tuple(sorted([*others, run], key=lambda one: one.run)[-KEPT:]))
        if store.swap(Layout.runs, content, listed.model_dump_json(indent=1, exclude_none=True).encode()):
            return listed

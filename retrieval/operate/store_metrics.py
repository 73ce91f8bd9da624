"""What a store says of itself to Prometheus: how fresh it is, how nights ended, how training goes, how good it is.

It is read from a handful of small objects, so that it is there before any night has run, and can be asked for every
minute.
"""

import datetime
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, takewhile
from types import MappingProxyType
from typing import NamedTuple, get_args

from retrieval.articles.snapshot import read_snapshot
from retrieval.files.checked import parse_document, read_document
from retrieval.index.gates import gates
from schemas.config import IndexConfig
from schemas.layout import Layout
from schemas.manifest import Current, Gate, IndexVersion
from schemas.run import TRAININGS, Outcome, Run, RunList, TrainFigures
from schemas.store import Store

METRICS = {
    "pubray_current_info": "1 for the version that CURRENT names.",
    "pubray_version_info": "1 for the version that a service answers from.",
    "pubray_source_timestamp_seconds": "When the newest source file of CURRENT was ingested.",
    "pubray_missing_update_files": "Update files of PubMed that CURRENT lacks, deletions and retractions among them.",
    "pubray_articles": "Articles of CURRENT.",
    "pubray_index_bytes": "Bytes of its segments.",
    "pubray_recall_at_10": "Of what an exact search finds first, the share that it finds.",
    "pubray_dead_share": "Share of its rows that are outdated.",
    "pubray_gate_margin": "How far CURRENT is from the limit of a gate: 1 at best, 0 at the limit, negative beyond it.",
    "pubray_night_outcome": "1 for how the last night ended, 0 for the other ways.",
    "pubray_night_failures": "Nights in a row, up to the last one, that were not served.",
    "pubray_night_last_success_timestamp_seconds": "When the last night ended that was served, or found nothing new.",
    "pubray_night_duration_seconds": "How long each stage of the last night took.",
    "pubray_night_cost_usd": "What each stage of the last night cost, by list prices of the machines that it had.",
    "pubray_train_steps": "Steps that are done of the newest run of a job of training.",
    "pubray_train_planned_steps": "Steps that it is to make.",
    "pubray_train_loss": "Its loss over the last tenth of its steps, by part; the norm of the gradient too.",
    "pubray_train_tokens_per_second": "How fast it reads.",
    "pubray_train_mfu": "Share of the peak of matrix products that it has; 0: not known.",
    "pubray_train_duration_seconds": "How long it takes, or took.",
    "pubray_train_ndcg_at_10": "Of held-out queries, by signal, before and after it.",
    "pubray_lease_age_seconds": "For how long the same job has been writing; 0: none is.",
    "pubray_cache_bytes": "Bytes of a bucket that this machine keeps.",
    "pubray_cache_limit_bytes": "Bytes of it that it may keep.",
}
"""What each one means; all are gauges."""

SUCCESSES = ("done", "nothing new", "update files are missing")
"""Outcomes of nights after which all that was to be had is served."""
ENDS = tuple(outcome for outcome in get_args(Outcome) if outcome != "running")
SINCE = re.compile(r", since ([^\s,]+)")
"""In what is told of who writes (see `schemas.writers.Holder`)."""


class Metric(NamedTuple):
    """A value of one of `METRICS`."""

    name: str
    value: float
    labels: Mapping[str, str] = MappingProxyType({})


def exposition(metrics: Iterable[Metric]) -> str:
    """Return metrics in Prometheus's text format; those of one name follow one another."""
    lines = []
    for name, values in groupby(metrics, lambda metric: metric.name):
        lines += [f"# HELP {name} {METRICS[name]}", f"# TYPE {name} gauge"]
        for _, value, labels in values:
            pairs = ",".join(f"{key}={json.dumps(text, ensure_ascii=False)}" for key, text in labels.items())
            lines.append(f"{name}{{{pairs}}} {value}" if pairs else f"{name} {value}")
    return "".join(f"{line}\n" for line in lines)


def store_metrics(store: Store, rules: IndexConfig) -> Iterator[Metric]:
    """Yield what a store says; of a store without CURRENT, or without nights, nothing is said of these.

    Raises:
        StoreError: it cannot be read.
    """
    content = store.read(Layout.current)
    current = parse_document(store.name(Layout.current), content, Current) if content else None
    if current and current.version:
        key = Layout.version(current.version)
        yield from _version_metrics(store, read_document(store, key, IndexVersion, f"version {current.version}"), rules)
    content = store.read(Layout.runs)
    runs = parse_document(store.name(Layout.runs), content, RunList).runs if content else ()
    if nights := [run for run in runs if run.job == "nightly" and run.outcome in ENDS]:
        yield from _night_metrics(nights)
        report = json.loads(store.read(Layout.run_report(nights[-1].run)) or b"{}")
        for stage, seconds in report.get("seconds", {}).items():
            yield Metric("pubray_night_duration_seconds", seconds, {"stage": stage})
        for stage, usd in report.get("usd", {}).items():
            yield Metric("pubray_night_cost_usd", usd, {"stage": stage})
    # of one name after another, whichever job they are of
    yield from sorted((metric for job in TRAININGS for metric in _train_metrics(job, runs)), key=lambda one: one.name)
    yield Metric("pubray_lease_age_seconds", _lease_age(store))
    if (cached := store.cached()) is not None:
        yield Metric("pubray_cache_bytes", cached[0])
        yield Metric("pubray_cache_limit_bytes", cached[1])


def _version_metrics(store: Store, version: IndexVersion, rules: IndexConfig) -> Iterator[Metric]:
    yield Metric("pubray_current_info", 1, {"version": version.id})
    if (ingested := _ingested(store, version)) is not None:
        yield Metric("pubray_source_timestamp_seconds", ingested)
    yield Metric("pubray_missing_update_files", version.missing_updates)
    yield Metric("pubray_articles", version.articles)
    yield Metric("pubray_index_bytes", version.bytes)
    yield Metric("pubray_recall_at_10", version.checks.recall.at_10)
    yield Metric("pubray_dead_share", version.checks.dead_share)
    for gate in gates(version, rules, ()):
        yield Metric("pubray_gate_margin", gate_margin(gate), {"gate": gate.name})


def _ingested(store: Store, version: IndexVersion) -> float | None:
    """Return when the newest source file of a version was ingested, in s since 1970."""
    info = read_snapshot(store, version.snapshot).info
    if not info.parts:
        return None
    newest = info.parts[-1].name
    # What a copied store says of its files is when they were copied.
    file = info.part_files.get(newest) or store.facts(Layout.article_part(newest))
    return file.modified / 1e9 if file else None


def gate_margin(gate: Gate) -> float:
    """Return how far a value is from its limit, as a share of the way from there to the best that there can be."""
    is_floor = (gate.value > gate.limit) == gate.passed
    way = 1 - gate.limit if is_floor else gate.limit
    margin = abs(gate.value - gate.limit) / (way or 1)
    return margin if gate.passed else -margin


def _night_metrics(nights: list[Run]) -> Iterator[Metric]:
    """nights: those that have ended, oldest first."""
    for outcome in ENDS:
        yield Metric("pubray_night_outcome", float(nights[-1].outcome == outcome), {"outcome": outcome})
    failures = sum(1 for _ in takewhile(lambda run: run.outcome not in SUCCESSES, reversed(nights)))
    yield Metric("pubray_night_failures", failures)
    if failures < len(nights):
        last = nights[-1 - failures]
        yield Metric("pubray_night_last_success_timestamp_seconds", _seconds(last.finished or last.started))


def _train_metrics(job: str, runs: Sequence[Run]) -> Iterator[Metric]:
    """Yield what is told of the newest run of a job, which may go on."""
    newest = next((run.figures for run in reversed(runs) if run.job == job), None)
    if not isinstance(newest, TrainFigures):
        return
    yield Metric("pubray_train_steps", newest.steps, {"job": job})
    yield Metric("pubray_train_planned_steps", newest.planned, {"job": job})
    for part, loss in newest.loss.items():
        yield Metric("pubray_train_loss", math.nan if loss is None else loss, {"job": job, "part": part})
    yield Metric("pubray_train_tokens_per_second", newest.tokens_per_second, {"job": job})
    yield Metric("pubray_train_mfu", newest.mfu, {"job": job})
    yield Metric("pubray_train_duration_seconds", newest.seconds, {"job": job})
    for when, ndcg in (("before", newest.ndcg_before), ("after", newest.ndcg_after)):
        for signal, value in ndcg.items():
            yield Metric("pubray_train_ndcg_at_10", value, {"job": job, "signal": signal, "when": when})


def _lease_age(store: Store) -> float:
    since = SINCE.search(store.writer() or "")
    return max(0.0, store.now() / 1e9 - _seconds(since[1])) if since else 0.0


def _seconds(time: str) -> float:
    """Return a time in ISO 8601 in s since 1970."""
    return datetime.datetime.fromisoformat(time).timestamp()

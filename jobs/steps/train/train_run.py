"""Pairs → a trained model of the store, of either kind: what `train-retriever` and `train-reranker` do alike."""

import importlib.metadata
from pathlib import Path
from typing import Any

from actors.fetch.stored_models import brought, configured_models, start_of, tower_digests
from actors.store.stores import open_store
from actors.train.training_run import Kind, TrainPlan, run_config
from jobs.common.cluster.joining import connect
from jobs.common.config import config_text
from jobs.common.console import log, table
from jobs.common.options import Option
from jobs.steps.train.comparing import compared
from jobs.steps.train.train_records import TrainRecorder
from jobs.steps.train.training import trained
from retrieval.files.checked import read_document, write_bytes
from retrieval.train.pairs.pair_sets import read_pair_set
from schemas.base import digest
from schemas.config import Config
from schemas.errors import StoreError, UsageError
from schemas.layout import Layout
from schemas.pair import PairSet
from schemas.store import Store
from schemas.training_report import TrainedRun, TrainReport

PAIRS = Option("sets of pairs, by the ids that `mine` gave them (default: the one that it makes now)", metavar="ID,…")
CONFIG = Option("write a configuration that uses the trained model", metavar="FILE")
PACKAGES = ("torch", "transformers", "ray")
NOT_OF_THE_WEIGHTS = {"workers", "spread", "num_gpus", "threads", "measured", "checkpoint_steps"}
"""Keys that may be changed between a stop and the next start."""


def run(config: Config, kind: Kind, pairs: str, write_config: str | None) -> TrainReport:
    """Train, or go on where a run of the same pairs and configuration was stopped; one that is done is found.

    Raises:
        UsageError: the pairs are of several snapshots.
        StoreError: there are no such pairs.
    """
    store, names = open_store(config), tuple(pairs.split(","))
    sets = {name: _pair_set(store, name) for name in names}
    if len(snapshots := {one.snapshot for one in sets.values()}) > 1:
        raise UsageError(f"--pairs {pairs}: of the snapshots {', '.join(sorted(snapshots))}; mine them anew of one")
    of = run_config(config, kind)
    inputs: dict[str, Any] = {
        "kind": kind,
        "train": of.model_dump(mode="json", exclude=NOT_OF_THE_WEIGHTS),
        "pairs": names,
        "encoder": config.encoder.identity(),
        "query": config.encoder.query.model_dump(mode="json", include={"task", "max_length"}),
        **({"candidates": config.rerank.candidates} if kind == "reranker" else {}),
        "start": [tower_digests(model, config).model_dump() for model in start_of(config, kind)],
    }
    plan = TrainPlan(kind, digest(inputs), names, snapshots.pop())
    key = Layout.training_run(plan.run)
    if store.facts(key) is None:
        started_from = tuple(dict.fromkeys(str(model.model) for model in start_of(config, kind)))
        recorder = TrainRecorder(store, plan, [*sets.values()], start=started_from, steps=of.steps)
        log(f"train     {store.name(recorder.page)} shows how it goes on")
        try:
            done = _trained(config, plan, inputs, recorder)
        except BaseException as error:
            recorder.failed(error)
            raise
        write_bytes(store, key, done.model_dump_json(indent=1).encode())
        recorder.done(done.report)
    done = read_document(store, key, TrainedRun, f"run {plan.run}")
    if write_config:
        _write_config(Path(write_config), config, done)
    return done.report


def show(report: TrainReport) -> str:
    head = f"run {report.run}: {report.steps} steps on {report.trained_on:,} pairs, model {' and '.join(report.models)}"
    rows: list[list[object]] = [[name, value] for name, value in report.loss.items()]
    rows += [["pairs a second", report.pairs_per_second], ["tokens a second", report.tokens_per_second]]
    rows += [["MFU", report.mfu or None]]
    if report.left_out:
        head += f"; {report.left_out:,} pairs are left out, for they have too few mined negatives"
    text = f"{head}\nits page is {report.page}\n{table(['of the last steps', 'value'], rows)}"
    if report.curve:
        signals = [*report.curve[0].ndcg]
        points = [[f"{p.step}{' *' if p.step == report.best else ''}", *p.ndcg.values()] for p in report.curve]
        text += f"\nevaluated: nDCG@10 after so many steps; * became the model\n{table(['steps', *signals], points)}"
    if not report.held_out_ndcg:
        return text
    measured = [[s, of.queries, of.before, of.after, str(of.difference)] for s, of in report.held_out_ndcg.items()]
    return f"{text}\n{table(['held out', 'queries', 'nDCG@10 before', 'after', 'difference [95 %]'], measured)}"


def _pair_set(store: Store, name: str) -> PairSet:
    if store.facts(Layout.pairs(name)) is None:
        raise StoreError(f"{store.name(Layout.pairs(name))}: no such set of pairs; run pubray mine, which tells its id")
    return read_pair_set(store, name)


def _trained(config: Config, plan: TrainPlan, inputs: dict[str, Any], recorder: TrainRecorder) -> TrainedRun:
    connect(config)
    # A re-ranker is measured beside the configured second stage, of which a retriever needs nothing.
    needed = start_of(config, "retriever") if plan.kind == "retriever" else configured_models(config)
    config = brought(config, *needed)
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    told = trained(config, plan, {**inputs, "run": plan.run, "packages": versions}, recorder.tell)
    assert told.values is not None  # for nothing was raised
    recorder.write("measure")
    figures = compared(config, told.values, plan) if run_config(config, plan.kind).measured else {}
    encoder = told.values.get("encoder", {})
    models = [told.values["rerank"]] if plan.kind == "reranker" else [encoder["query"], encoder["article"]]
    names = tuple(dict.fromkeys(model["model"] for model in models))
    report = recorder.report(models=names, held_out_ndcg=figures)
    return TrainedRun(models=tuple(name.rpartition(":")[2] for name in names), values=told.values, report=report)


def _write_config(path: Path, config: Config, done: TrainedRun) -> None:
    """Write this configuration with the model that was trained."""
    path.write_text(config_text(config.with_values(**done.values)))
    log(f"train     {path} uses the trained model: pubray --config {path} …")
    if config.notify.url:
        log(f"train     {path} has no notify.url, which is a secret: set PUBRAY_NOTIFY_URL, or write it there")

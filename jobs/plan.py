"""What an index of so many articles, or a run of training, takes on given machines, and where each figure is from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from jobs.common.config import DEFAULT, load_config
from jobs.common.console import table
from jobs.common.encoders import figures_of
from jobs.common.options import Option
from retrieval.operate.planning import Planner, Scale
from retrieval.operate.serving import serving_plan
from retrieval.operate.training_plan import training_plan
from schemas.config import Config
from schemas.errors import UsageError
from schemas.figures import ENCODERS, FIGURES, GPUS, TRAINING_FIGURES, Figure, ServingPlan, Stage
from schemas.quality_report import PlanReport, TrainPlanReport

NOTES = (
    "GB: of the largest process; of all of a stage; on disk to stay; to be deleted after it. Hours: on these\n"
    "machines, from begin to end. USD: for the hours that are used, not for idle ones."
)
TRAIN_NOTES = (
    "GB: of a worker's GPU, or of its process where there is none; of all workers; of the model; of the states that a\n"
    "run keeps. By arithmetic: no run was made on a GPU. Hours: of all steps, without reading and evaluations."
)


def run(
    config: Config,
    *,
    articles: Annotated[float, Option("to be indexed; default 40e6, PubMed", metavar="N")] = 40e6,
    encoder: Annotated[str | None, Option("default medcpt; with --train the configured one", choices=ENCODERS)] = None,
    nightly: Annotated[float, Option("records a night; default 100000", metavar="N")] = 100_000,
    cores: Annotated[int, Option("CPU cores in all; default 16", metavar="N")] = 16,
    gpus: Annotated[int, Option("default 1; 0: encode on the cores", metavar="N")] = 1,
    gpu: Annotated[str, Option("default h100", choices=GPUS)] = "h100",
    queries: Annotated[float, Option("a second that the service is to answer; default 10", metavar="N")] = 10,
    train: Annotated[bool, Option("instead: what the runs of [train] and [train_reranker] take, of --config")] = False,
    core_hour: Annotated[float | None, Option(f"default {FIGURES.core_hour.value}, assumed", metavar="USD")] = None,
    gpu_hour: Annotated[float | None, Option("default: assumed for the kind of GPU", metavar="USD")] = None,
    overrides: Sequence[str] = (),
) -> PlanReport | TrainPlanReport:
    """Return the plan. Its configuration is the encoder's in infra/config/, with what --set overrides.

    With `train` it is the configured one, whose workers and GPUs count.

    Raises:
        UsageError: a number is too small, an override wrong, or the shape of the configured encoder not known.
    """
    numbers = (
        ("articles", articles, 1),
        ("nightly", nightly, 0),
        ("cores", cores, 1),
        ("gpus", gpus, 0),
        ("queries", queries, 0),
    )
    for name, given, least in numbers:
        if not least <= given < math.inf:
            raise UsageError(f"--{name} {given:g}: give {least} or more")
    kind = GPUS[gpu]._replace(hour=_price(GPUS[gpu].hour, gpu_hour))
    known = FIGURES._replace(core_hour=_price(FIGURES.core_hour, core_hour))
    if train:
        of = ENCODERS[encoder] if encoder else figures_of(config)
        if of is None:
            raise UsageError(f"encoder.name = {config.encoder.name!r}: name one of its shape with --encoder")
        return training_plan(Planner(config, of, Scale(1, 0, cores, 1, kind), known), TRAINING_FIGURES, gpu)
    of = ENCODERS[encoder or "medcpt"]
    figures = {"tokens": of.tokens, **known._asdict()}
    if gpus:
        figures |= {"gpu_peak": kind.flops, "gpu_hour": kind.hour}
    own = load_config(str(DEFAULT.with_name(of.config)), overrides, {})
    scale = Scale(round(articles), round(nightly), cores, gpus, kind)
    planner = Planner(own, of, scale, known)
    return PlanReport(
        articles=scale.articles,
        nightly=scale.nightly,
        encoder=own.encoder.name,
        dimension=own.encoder.dimension,
        cores=cores,
        gpus=gpus,
        gpu=gpu if gpus else None,
        stages=tuple(planner.stages()),
        serving=serving_plan(planner, queries),
        figures=figures,
    )


def show(report: PlanReport | TrainPlanReport) -> str:
    if isinstance(report, TrainPlanReport):
        on = f"{report.gpus:g} × {report.gpu.upper()}" if report.gpu else "no GPU"
        head = f"{report.encoder}: {report.steps:,} steps of {report.pairs:,} pairs; {on}"
        return "\n".join([head, _stages(report.stages, "GB/worker"), TRAIN_NOTES, "", _figures(report.figures)])
    gpus = f"{report.gpus} × {report.gpu.upper()}" if report.gpu else "no GPU"
    head = (
        f"{report.articles:,} articles, {report.nightly:,} records a night; {report.encoder}, "
        f"{report.dimension} dimensions; {report.cores} cores, {gpus}"
    )
    serving = _serving(report.serving, report.figures["recall"])
    shown = [head, _stages(report.stages, "GB/process"), NOTES, "", *serving, "", _figures(report.figures)]
    return "\n".join(shown)


def _stages(stages: Sequence[Stage], of_one: str) -> str:
    headers = ["stage", of_one, "GB in all", "GB disk", "temporary", "core-h", "GPU-h", "hours", "    USD"]
    rows = []
    for s in stages:
        sizes = (s.worker_memory / 1e9, s.memory / 1e9, s.disk / 1e9, s.temporary / 1e9)
        cells = zip((*sizes, s.core_hours, s.gpu_hours, s.hours, s.usd), headers[1:], strict=True)
        rows.append([s.name, *(f"{_rounded(value):>{len(header)}}" for value, header in cells)])
    return table(headers, rows)


def _figures(figures: Mapping[str, Figure]) -> str:
    rows = [[name.replace("_", " "), _exact(f.value), f.unit, f.label, f.source] for name, f in figures.items()]
    return table(["figure", "value", "unit", "is", "by"], rows)


def _serving(plan: ServingPlan, recall: Figure) -> list[str]:
    rows = [
        [
            part.name,
            f"{part.milliseconds:.1f}",
            part.replicas,
            f"{part.cores:g}",
            f"{part.gpus:g}",
            _rounded(part.memory / 1e9),
        ]
        for part in plan.parts
    ]
    headers = ["part", "ms/query", "replicas", "cores", "GPUs", "GB/replica"]
    nodes = f"{plan.nodes} nodes without GPUs" + (f", {plan.gpu_nodes} with one" if plan.gpu_nodes else "")
    return [
        f"{plan.queries:g} queries a second: {nodes}, {plan.usd_month:,.0f} USD a month, recall@10 {recall.value:g}",
        table(headers, rows),
    ]


def _exact(value: float) -> str:
    return f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}" if value < 1e6 else f"{value:.3g}".replace("e+", "e")


def _price(default: Figure, given: float | None) -> Figure:
    return default if given is None else replace(default, value=given, label="given", source="command line")


def _rounded(value: float) -> str:
    """Return two or three digits: the figures are not better than that."""
    return f"{value:,.{0 if value >= 20 or not value else 1 if value >= 2 else 2}f}"

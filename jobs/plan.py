"""What an index of so many articles takes on given machines, stage by stage, and where each figure is from."""

import argparse
import math
from typing import Any

from jobs.common.config import DEFAULT, load_config
from jobs.common.console import table
from retrieval.operate.planning import Planner, Scale, Stage
from schemas.config import Config
from schemas.errors import UsageError
from schemas.figures import CORE_HOUR, ENCODERS, FIGURES, GPUS, Figure

NOTES = (
    "GB: of the largest process; of all of a stage (of serve with its lists mapped); on disk to stay; to be deleted\n"
    "after it. Hours: on these machines, from begin to end. USD: for the hours that are used, not for idle ones."
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the job's options."""
    parser.add_argument("--articles", type=float, default=40e6, metavar="N", help="to be indexed; default 40e6, PubMed")
    parser.add_argument("--encoder", choices=ENCODERS, default="medcpt", help="default medcpt")
    parser.add_argument("--nightly", type=float, default=100_000, metavar="N", help="records a night; default 100000")
    parser.add_argument("--cores", type=int, default=16, metavar="N", help="CPU cores in all; default 16")
    parser.add_argument("--gpus", type=int, default=1, metavar="N", help="default 1; 0: encode on the cores")
    parser.add_argument("--gpu", choices=GPUS, default="h100", help="default h100")
    parser.add_argument("--core-hour", type=float, metavar="USD", help=f"default {CORE_HOUR.value}, assumed")
    parser.add_argument("--gpu-hour", type=float, metavar="USD", help="default: assumed for the kind of GPU")


def run(config: Config, options: argparse.Namespace) -> dict[str, Any]:
    """Return the plan. The configuration is the encoder's in infra/config/, with what --set overrides."""
    for name, least in ("articles", 1), ("nightly", 0), ("cores", 1), ("gpus", 0):
        if not least <= getattr(options, name) < math.inf:
            raise UsageError(f"--{name} {getattr(options, name):g}: give {least} or more")
    encoder, gpu = ENCODERS[options.encoder], GPUS[options.gpu]
    scale = Scale(round(options.articles), round(options.nightly), options.cores, options.gpus, gpu)
    core_hour, gpu_hour = _price(CORE_HOUR, options.core_hour), _price(gpu.hour, options.gpu_hour)
    figures = {"tokens": encoder.tokens, **FIGURES._asdict(), "core_hour": core_hour}
    if options.gpus:
        figures |= {"gpu_peak": gpu.flops, "gpu_hour": gpu_hour}
    own = load_config(str(DEFAULT.with_name(encoder.config)), options.set, {})
    stages = Planner(own, encoder, scale, FIGURES).stages()
    return {
        "articles": scale.articles,
        "nightly": scale.nightly,
        "encoder": own.encoder.name,
        "dimension": own.encoder.dimension,
        "cores": scale.cores,
        "gpus": scale.gpus,
        "gpu": options.gpu if scale.gpus else None,
        "stages": [s._asdict() | {"usd": _cost(s, core_hour, gpu_hour)} for s in stages],
        "figures": {name: figure._asdict() for name, figure in figures.items()},
    }


def show(report: dict[str, Any]) -> str:
    """Return the plan for a person."""
    gpus = f"{report['gpus']} × {report['gpu'].upper()}" if report["gpus"] else "no GPU"
    head = (
        f"{report['articles']:,} articles, {report['nightly']:,} records a night; {report['encoder']}, "
        f"{report['dimension']} dimensions; {report['cores']} cores, {gpus}"
    )
    sizes = ("worker_memory", "memory", "disk", "temporary")
    times = ("core_hours", "gpu_hours", "hours", "usd")
    headers = ["stage", "GB/process", "GB in all", "GB disk", "temporary", "core-h", "GPU-h", "hours", "    USD"]
    rows = []
    for stage in report["stages"]:
        values = [stage[key] / 1e9 for key in sizes] + [stage[key] for key in times]
        cells = zip(values, headers[1:], strict=True)
        rows.append([stage["name"], *(f"{_rounded(value):>{len(header)}}" for value, header in cells)])
    figures = [
        [name.replace("_", " "), _exact(f["value"]), f["unit"], f["label"], f["source"]]
        for name, f in report["figures"].items()
    ]
    return "\n".join([head, table(headers, rows), NOTES, "", table(["figure", "value", "unit", "is", "by"], figures)])


def _exact(value: float) -> str:
    return f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}" if value < 1e6 else f"{value:.3g}".replace("e+", "e")


def _price(default: Figure, given: float | None) -> Figure:
    return default if given is None else default._replace(value=given, label="given", source="command line")


def _cost(stage: Stage, core_hour: Figure, gpu_hour: Figure) -> float:
    return stage.core_hours * core_hour.value + stage.gpu_hours * gpu_hour.value


def _rounded(value: float) -> str:
    """Return two or three digits: the figures are not better than that."""
    return f"{value:,.{0 if value >= 20 or not value else 1 if value >= 2 else 2}f}"

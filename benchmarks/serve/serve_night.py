"""The search service while a night runs on the same cluster, beside itself with no night.

    python -m benchmarks.serve.serve_night [--clients 4] [--records 1200] [--json]

Three nodes of this machine, each of a group: the service's on its first core, with its proxy and the load tool, and the
night's two on its second, with Ray's head, which serves nothing, in every run. The index is of the embedded files of
PubMed with vectors that are made; queries and the night's records are encoded by the embedded encoder. Latencies are
medians over slices of some seconds, of which those before and after the night are the service's own; the limit of the
p50's ratio is 1.2, and above it the exit code is 1. The night ends with a promotion, so the change to its version is
among what is measured.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil
import ray

from actors.fetch.embedded_wheels import embedded_folder
from benchmarks.serve.serve_load import PORT, Load, Service, answers, require_wrk, run_wrk, texts, wrk_script
from benchmarks.storage.night_bytes import make_night
from benchmarks.storage.random_vectors import write_vectors
from jobs import index, ingest, promote
from jobs.common.config import load_config
from jobs.common.console import log, say, table
from schemas.config import Config
from tests.support.clusters.labelled_cluster import LabelledCluster, Node, labelled_cluster
from tests.support.processes import title, within

CACHE = Path("~/.cache/pubray").expanduser()
SERVICE_CORE, NIGHT_CORE = 0, 1
NODES = [Node("cpu", core=NIGHT_CORE), Node("encode", core=NIGHT_CORE), Node("serve", cpus=4, core=SERVICE_CORE)]
PLACEMENT = {
    **dict.fromkeys(("ingest", "tokenise", "train", "build", "merge", "check"), "cpu"),
    "encode": "encode",
    **dict.fromkeys(("api", "query_encoder", "searcher"), "serve"),
}
SETTINGS = [
    "selection.rule=abstract",
    "index.recall_floor=0",
    "embed.min_agreement=-1",  # the vectors of the base are not the encoder's
    "serve.cached=0",
    "rerank.kind=none",
]
PLACED = [*SETTINGS, *(f'placement.{work}="{group}"' for work, group in PLACEMENT.items())]
SLICES, SECONDS = 6, 5
FIGURES = ("p50", "p99", "rate")
LIMIT = 1.2
WAIT = 300


def main() -> None:
    """Make the index, start the service, measure before, during and after a night."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--records", type=int, default=1200, help="of the night; they are encoded on one core")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    require_wrk()
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(None, SETTINGS, {"PUBRAY_STORE": f"{folder}/store"})
        ingest.run(config, source=str(embedded_folder("pubmed", CACHE)))
        write_vectors(config)
        promote.run(config, version=index.run(config).version)
        source = make_night(config, Path(folder), options.records)
        queries = texts(config)
        ray.shutdown()
        os.sched_setaffinity(0, {NIGHT_CORE})
        with labelled_cluster(NODES) as nodes:
            os.sched_setaffinity(0, {SERVICE_CORE})
            both = beside(nodes, config, source, queries, options.clients)
    alone, during = ({name: median(loads, name) for name in FIGURES} for loads in both)
    failed = sum(load.failed for loads in both for load in loads)
    ratios = {name: during[name] / alone[name] for name in FIGURES}
    if options.json:
        say(json.dumps({**ratios, "failed": failed}))
    else:
        shown = [[name, alone[name], during[name], ratios[name]] for name in FIGURES]
        say(table(["", "alone", "during a night", "ratio"], shown))
        slices = f"{len(both[1])} slices of {SECONDS} s during the night"
        say(f"{slices}; limit of p50's ratio {LIMIT}; {failed} failed")
    raise SystemExit(int(failed > 0 or ratios["p50"] > LIMIT))


def median(loads: list[Load], name: str) -> float:
    """Return the median of one of their figures."""
    return float(np.median([getattr(one, name) for one in loads]))


def beside(
    nodes: LabelledCluster, config: Config, source: Path, queries: list[str], clients: int
) -> tuple[list[Load], list[Load]]:
    """Return what clients got without a night, and during one."""
    settings = [word for setting in PLACED for word in ("--set", setting)]
    night = [config.store, *settings, "nightly", "--source", str(source)]
    with nodes.start(config.store, *settings, "serve", "--port", PORT) as served:
        service = Service(f"http://127.0.0.1:{PORT}", psutil.Process(served.pid))
        try:
            within(WAIT, lambda: served.poll() is not None or answers(service.url))
            pin_serve()
            with wrk_script(queries, rerank=False) as script:
                return measured(nodes, lambda: run_wrk(service, script, clients, SECONDS), night)
        finally:
            served.terminate()


def pin_serve() -> None:
    """Give the service's core to what Ray Serve has on the head: its proxy and its controller."""
    for process in psutil.process_iter():
        if any(name in title(process) for name in ("ray::ProxyActor", "ray::SERVE_PROXY", "ray::ServeController")):
            process.cpu_affinity([SERVICE_CORE])


def measured(
    nodes: LabelledCluster, measure: Callable[[], Load], night: Sequence[str]
) -> tuple[list[Load], list[Load]]:
    """Measure before, during and after a night."""
    measure()
    alone, during = [measure() for _ in range(SLICES)], []
    with nodes.start(*night) as running:
        os.sched_setaffinity(running.pid, {NIGHT_CORE})
        while running.poll() is None:
            during.append(measure())
            log(f"during a night: p50 {during[-1].p50:.0f} ms, p99 {during[-1].p99:.0f} ms")
        if running.returncode:
            raise SystemExit(f"the night failed: {running.communicate()[1]}")
    alone += [measure() for _ in range(SLICES)]
    return alone, during[:-1]  # in the last one it ended


if __name__ == "__main__":
    main()

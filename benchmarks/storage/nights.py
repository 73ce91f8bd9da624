"""Night after night over a bucket: time, bytes, requests and USD of each, which are not to grow.

    python -m benchmarks.storage.nights [--nights 30] [--compact] [--plot IMAGE.png] [--json]

The base are the embedded files of PubMed: real records, with vectors that are made (384 dimensions). Each night has a
file of 1 part in 400 of them, PubMed's proportion, of the kinds of `night_bytes`; it is encoded by the embedded
encoder. Without `--compact` no deltas are merged. Bytes and requests are counted at the server's side of a proxy. USD
are list prices of S3 in us-east-1 and the plan's price of a core. `slope` is that of a straight line through all but
the first two nights, a night, over their mean; the limit is 2 %.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from actors.fetch.embedded_wheels import embedded_folder
from actors.store.stores import open_store
from benchmarks.common.cpu_watch import CpuWatch
from benchmarks.rivals.rivals import MATPLOTLIB, rival_command
from benchmarks.storage.night_bytes import make_night, model
from benchmarks.storage.random_vectors import write_vectors
from jobs import index, ingest, nightly, promote
from jobs.common.config import load_config
from jobs.common.console import log, say, table
from jobs.common.store import served_version
from schemas.config import Config
from schemas.figures import FIGURES
from tests.support.s3.bucket_server import Bucket, bucket

CACHE = Path("~/.cache/pubray").expanduser()
PART = 400
"""One article in so many is in a night's file."""
SETTLED = 2
"""Nights before the first that counts: their processes start."""
LIMIT = 0.02
PUT, GET = 5e-6, 4e-7
"""USD a request."""


class OneNight(NamedTuple):
    """What a night took."""

    seconds: float
    fetched: int
    stored: int
    requests: int
    usd: float
    compacted: bool


def main() -> None:
    """Make the base, run the nights, print and plot what each took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument("--compact", action="store_true")
    parser.add_argument("--plot", metavar="IMAGE")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, bucket() as server:
        config = base(Path(folder), 7 if options.compact else options.nights + 1)
        records = served_version(open_store(config)).articles // PART
        nights = []
        for number in range(options.nights):
            source = make_night(config, Path(folder), records, number)
            nights.append(run(server, config, source))
            log(f"night {number + 1}: {nights[-1]}")
    slopes = {name: slope([getattr(one, name) for one in nights]) for name in OneNight._fields[:-1]}
    if options.plot:
        points = Path(tempfile.gettempdir(), "nights.json")
        points.write_text(json.dumps([night._asdict() for night in nights]))
        subprocess.run(
            [*rival_command(CACHE, MATPLOTLIB, "storage/nights_plot.py"), str(points), options.plot], check=True
        )
    if options.json:
        say(json.dumps({"nights": [night._asdict() for night in nights], "slopes": slopes}))
        return
    rows = [[name, np.median([getattr(one, name) for one in nights]), of, of / LIMIT] for name, of in slopes.items()]
    say(f"{options.nights} nights of {records} records")
    say(table(["of a night", "median", "slope", "ratio"], rows))


def base(folder: Path, max_deltas: int) -> Config:
    """Return the configuration of a store with a version of the embedded files that is served."""
    environment = {"PUBRAY_STORE": "s3://b-1/nights", "PUBRAY_CACHE": f"{folder}/cache"}
    config = load_config(None, ["selection.rule=abstract"], environment)
    config = config.with_values(
        encoder={"article": {"model": model(config)}, "query": {"model": model(config)}},
        index={"max_deltas": max_deltas, "recall_floor": 0, "max_dead": 1},
        embed={"min_agreement": -1},  # the vectors of the base are random
    )
    ingest.run(config, source=str(embedded_folder("pubmed", CACHE)))
    write_vectors(config)
    promote.run(config, version=index.run(config).version)
    return config


def run(server: Bucket, config: Config, source: Path) -> OneNight:
    """Run a night."""
    server.proxy.seen.clear()
    start = time.perf_counter()
    with CpuWatch() as watch:
        report = nightly.night(config, source=str(source))
    seconds, seen = time.perf_counter() - start, list(server.proxy.seen)
    puts = sum(one.line.startswith(("PUT", "POST")) for one in seen)
    usd = puts * PUT + (len(seen) - puts) * GET + watch.seconds / 3600 * FIGURES.core_hour.value
    fetched, stored = sum(one.bytes for one in seen), sum(one.sent for one in seen)
    compacted = report.compact is not None and report.compact.compacted
    return OneNight(seconds, fetched, stored, len(seen), usd, compacted)


def slope(values: list[float]) -> float:
    """Return by which share of their mean values grow from one to the next."""
    settled = np.array(values[SETTLED:], float)
    return float(np.polyfit(np.arange(len(settled)), settled, 1)[0] / settled.mean())


if __name__ == "__main__":
    main()

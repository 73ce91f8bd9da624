"""What a night of 1 % takes beside the build of all, and in a bucket beside a folder.

    python -m benchmarks.storage.night_share [--nights 3] [--json]

The build is that of the embedded files of PubMed, some 33,000 articles, by the embedded encoder. The nights are those
of `night_bytes`, each run on the store in a folder and on its copy in a bucket of Ceph, whose server has the same
cores, in turn; the cache is empty before each. `CPU` is that of a night in the folder, a share of the build's, of which
3 % is the limit; `time` is that in the bucket over that in the folder, of which 1.3 is. By root alone, as Ceph is.
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from actors.fetch.embedded_wheels import embedded_folder
from actors.store.stores import open_store
from benchmarks.common.cpu_watch import CpuWatch
from benchmarks.storage.night_bytes import make_night, model
from jobs import copy, embed, index, ingest, nightly, promote
from jobs.common.config import load_config
from jobs.common.console import log, say, table
from jobs.common.store import served_version
from schemas.config import Config
from tests.support.s3.ceph_server import ceph_bucket

CPU_LIMIT, TIME_LIMIT = 0.03, 1.3
CACHE = Path("~/.cache/pubray").expanduser()


class OneNight(NamedTuple):
    """What a night took, in seconds."""

    cpu: float
    time: float


def main() -> None:
    """Build, copy, run the nights, print the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nights", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ceph_bucket(Path(folder, "ceph")):
        config = load_config(None, ["selection.rule=abstract"], {"PUBRAY_STORE": f"{folder}/store"})
        config = config.with_values(
            encoder={"article": {"model": model(config)}, "query": {"model": model(config)}},
            index={"max_deltas": 2 * options.nights, "recall_floor": 0},
            cache=f"{folder}/cache",
        )
        with CpuWatch() as build:
            ingest.run(config, source=str(embedded_folder("pubmed", CACHE)))
            embed.run(config)
            promote.run(config, version=index.run(config).version)
        copy.run(config, source=config.store, target="s3://b-1/night")
        places = {"folder": config, "bucket": config.with_values(store="s3://b-1/night")}
        records = served_version(open_store(config)).articles // 100
        nights: dict[str, list[OneNight]] = {name: [] for name in places}
        for number in range(options.nights + 1):  # before the first that counts, processes start
            for name, place in places.items():
                source = make_night(place, Path(folder), records, number)
                nights[name].append(run(place, source))
                log(f"night {number} in a {name}: {nights[name][-1]}")
    cpu = [of.cpu / build.seconds for of in nights["folder"][1:]]
    ratios = [there.time / here.time for here, there in zip(nights["folder"][1:], nights["bucket"][1:], strict=True)]
    if options.json:
        say(json.dumps({"build_cpu_seconds": build.seconds, "cpu": cpu, "time": ratios}))
        return
    say(f"a build of {build.seconds:,.0f} CPU seconds, {options.nights} nights of {records} records after it")
    rows = [
        ["CPU, of the build's", np.median(cpu), min(cpu), max(cpu), CPU_LIMIT],
        ["time, bucket / folder", np.median(ratios), min(ratios), max(ratios), TIME_LIMIT],
    ]
    say(table(["of a night", "median", "least", "most", "limit"], rows))


def run(config: Config, source: Path) -> OneNight:
    """Run a night on a node whose cache is empty."""
    shutil.rmtree(config.cache, ignore_errors=True)
    start = time.perf_counter()
    with CpuWatch() as watch:
        nightly.night(config, source=str(source))
    return OneNight(watch.seconds, time.perf_counter() - start)


if __name__ == "__main__":
    main()

"""A night that finds nothing new, over a bucket with many article parts and a server that is far.

    python -m benchmarks.storage.idle_night [--parts 1600] [--latency 0.02] [--json]

Each part is of a source file of one made record. What is timed is `pubray nightly --source FOLDER`, a process of its
own from its start to its exit, without latency and with it; `ratio` is to the limit of 5 s.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from actors.fetch.embedded_wheels import embedded_folder
from benchmarks.storage.random_vectors import write_vectors
from jobs import index, ingest, promote
from jobs.common.config import load_config
from jobs.common.console import say, table
from tests.support.pubmed.pubmed_xml import Record, document
from tests.support.s3.bucket_server import Bucket, bucket

LIMIT = 5.0
ROUNDS = 3
CACHE = Path("~/.cache/pubray").expanduser()


def main() -> None:
    """Make the store, run the nights, print their times."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parts", type=int, default=1600)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model = str(embedded_folder("all-MiniLM-L6-v2", CACHE))
    settings = [f"encoder.{tower}.model={model}" for tower in ("query", "article")]
    settings += ["selection.rule=all", "index.nlist=4", "index.recall_floor=0"]
    with tempfile.TemporaryDirectory() as folder, bucket() as server:
        environment = {"PUBRAY_STORE": "s3://b-1/idle", "PUBRAY_CACHE": f"{folder}/cache"}
        config = load_config(None, settings, environment)
        source = Path(folder, "source")
        write_sources(source, options.parts)
        ingest.run(config, source=str(source), baseline=True)
        write_vectors(config)
        promote.run(config, version=index.run(config).version)
        command = [str(Path(sys.executable).with_name("pubray"))]
        command += [word for setting in settings for word in ("--set", setting)]
        command += ["nightly", "--source", str(source), "--json"]
        found = {latency: timed(server, latency, command, environment) for latency in (0.0, options.latency)}
    if options.json:
        say(json.dumps({str(latency): of for latency, of in found.items()}))
        return
    rows = [
        [f"{latency * 1000:g} ms", of["requests"], of["seconds"], of["seconds"] / LIMIT]
        for latency, of in found.items()
    ]
    say(f"{options.parts:,} article parts, nothing new\n{table(['latency', 'requests', 'seconds', 'ratio'], rows)}")


def write_sources(folder: Path, count: int) -> None:
    """Write files of one record each, under PubMed's names."""
    folder.mkdir()
    for number in range(1, count + 1):
        record = Record(f"<ArticleTitle>Title {number}</ArticleTitle>", "", pmid=f"<PMID>{number}</PMID>")
        (folder / f"pubmed26n{number:04}.xml.gz").write_bytes(gzip.compress(document(record)))


def timed(server: Bucket, latency: float, command: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Return the seconds of the fastest round, and its requests."""
    server.proxy.latency, best = latency, {"seconds": float("inf"), "requests": 0.0}
    for _ in range(ROUNDS):
        server.proxy.seen.clear()
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environment})
        seconds = time.perf_counter() - start
        if seconds < best["seconds"]:
            best = {"seconds": seconds, "requests": float(len(server.proxy.seen))}
    return best


if __name__ == "__main__":
    main()

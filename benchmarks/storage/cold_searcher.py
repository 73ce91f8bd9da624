"""A searcher on a node whose cache is empty: from its version in a bucket to its first answer.

    python -m benchmarks.storage.cold_searcher [--rounds 5] [--json]

The version holds the embedded files of PubMed: real records, with vectors that are made (384 dimensions). Beside the
searcher stands a plain `get` by s3fs of the same objects into a folder. Each is a fresh process that has imported all
and asked the server once; the seconds are the fastest round's, `ratio` is get over searcher. The server is Ceph's, on
loopback (infra/install_programs.sh ceph); with latency each request waits in a proxy, which both ask then. `fetched` is
what eight searchers that begin at once on one node fetch, counted at the proxy, over the bytes of the objects.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import ray

from actors.fetch.embedded_wheels import embedded_folder
from actors.search.index_searcher import IndexSearcher
from actors.store.s3_client import client, range_client
from actors.store.stores import open_store
from benchmarks.storage.random_vectors import write_vectors
from jobs import copy, index, ingest, promote
from jobs.common.config import load_config
from jobs.common.console import megabytes, say, table
from jobs.common.store import served_version
from schemas.config import Config
from schemas.manifest import IndexVersion
from schemas.protocols import Lookup
from tests.support.s3.ceph_server import KEYS, ceph_server
from tests.support.s3.fault_proxy import fault_proxy
from tests.support.s3.moto_server import environment

BUCKET = "s3://b-1/cold"
LATENCY = 0.02
PROCESSES = 8
HITS = 10
EMBEDDED = Path("~/.cache/pubray").expanduser()


def main() -> None:
    """Make the version, bring it to the bucket, open it there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ceph_server(Path(name, "ceph")) as address:
        folder = Path(name)
        config = made(folder)
        version = served_version(open_store(config))
        with environment(address, *KEYS):
            copy.run(config, source=config.store, target=BUCKET)
            config = config.with_values(store=BUCKET)
            fresh(searched, config, version, folder / "first")
            objects = cached(folder / "first")
            found = {"0": compared(config, version, objects, folder, options.rounds)}
        with fault_proxy(address) as proxy, environment(proxy.address, *KEYS):
            proxy.latency = LATENCY
            found[f"{LATENCY}"] = compared(config, version, objects, folder, options.rounds)
            proxy.latency = 0
            proxy.seen.clear()
            fresh(searched, config, version, folder / "shared", PROCESSES)
            size = sum(objects.values())
            fetched = sum(one.bytes for one in proxy.seen if one.line.startswith("GET")) / size
    if options.json:
        say(json.dumps({"bytes": size, "latency": found, "fetched": fetched}))
        return
    rows = [[f"{float(latency) * 1000:g} ms", *of.values()] for latency, of in found.items()]
    say(f"{version.articles:,} articles, {len(objects)} objects of {megabytes(size)}")
    say(table(["latency", "get, s", "searcher, s", "ratio"], rows))
    say(f"{PROCESSES} searchers at once fetch {fetched:.3f} of them")


def made(folder: Path) -> Config:
    """Make the store in a folder."""
    settings = ["selection.rule=abstract", "index.recall_floor=0", "index.recall_queries=10"]
    config = load_config(None, settings, {"PUBRAY_STORE": str(folder / "store")})
    ingest.run(config, source=str(embedded_folder("pubmed", EMBEDDED)))
    write_vectors(config)
    promote.run(config, version=index.run(config).version)
    ray.shutdown()  # which would take of the cores
    return config


def compared(
    config: Config, version: IndexVersion, objects: dict[str, int], folder: Path, rounds: int
) -> dict[str, float]:
    """Return the seconds of both, by turns."""
    got, answered = [], []
    for _ in range(rounds):
        got += fresh(plain_get, config, objects, folder / "got")
        answered += fresh(searched, config, version, folder / "cache")
        shutil.rmtree(folder / "got")
        shutil.rmtree(folder / "cache")
    return {"get": min(got), "searcher": min(answered), "ratio": min(got) / min(answered)}


def fresh(work: Callable[..., float], config: Config, of: object, folder: Path, processes: int = 1) -> list[float]:
    """Return what so many new processes return, which work at once."""
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        return list(pool.map(work, *zip(*[(config, of, folder)] * processes, strict=True)))


def searched(config: Config, version: IndexVersion, cache: Path) -> float:
    """Open a version and ask it; return the seconds."""
    store = open_store(config.with_values(cache=str(cache)))
    connect()
    query = np.random.default_rng(1).standard_normal(config.encoder.dimension, np.float32)
    start = time.perf_counter()
    [hits] = IndexSearcher(store, version).matches([Lookup(query / np.linalg.norm(query), HITS)])
    seconds = time.perf_counter() - start
    assert len(hits) == HITS
    return seconds


def plain_get(config: Config, objects: dict[str, int], folder: Path) -> float:
    """Get objects by s3fs as it is; return the seconds."""
    connect()
    start = time.perf_counter()
    client().get(list(objects), [str(folder / key) for key in objects])
    seconds = time.perf_counter() - start
    assert {key: (folder / key).stat().st_size for key in objects} == objects
    return seconds


def connect() -> None:
    """Ask the server once, by both clients."""
    client().exists(f"{BUCKET}/CURRENT")
    range_client().get_file_info(f"{BUCKET.removeprefix('s3://')}/CURRENT")


def cached(folder: Path) -> dict[str, int]:
    """Return the objects that are in a cache, by their keys, and their sizes: what a searcher needs."""
    objects = folder / "s3" / "objects"
    files = (path for path in objects.rglob("*") if path.is_file())
    return {(path.parents[1] / path.name).relative_to(objects).as_posix(): path.stat().st_size for path in files}


if __name__ == "__main__":
    main()

"""Part `quality` of benchmarks/index: recall, speed and memory of pubray and its rivals on real embeddings."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from actors.embed.towers import QueryTower
from actors.engine.cpu_threads import available_threads
from actors.store.local_store import LocalStore
from benchmarks.common.job_watch import ROOT
from benchmarks.embed.embed_job import base_store
from benchmarks.index.index_contenders import DEPTH, SERVED
from benchmarks.index.index_rivals import Contender, own_contender, rivals, run_own
from benchmarks.rivals.rivals import MATPLOTLIB, rival_command
from jobs import embed, index, promote
from jobs.common.config import load_config
from jobs.common.console import megabytes, say, table
from jobs.common.store import read_current, served_version
from retrieval.files.checked import read_named
from retrieval.index.centroids.quantizer import Quantizer
from retrieval.index.segment import OpenSegment
from schemas.config import Config
from schemas.layout import Layout
from schemas.protocols import Query

PLOT = ROOT / "docs" / "index_quality.png"
BASE = "IndexFlat"


def quality(folder: Path, store: Path | None, count: int) -> None:
    """Print the table and draw the plot. `store`: one with vector parts, default the benchmarks' own."""
    config = prepared(folder, store)
    if not (folder / "queries.npy").exists():
        write_arrays(folder, config, count)
        run_own("prepare", folder)
    truth = own_contender(BASE, "flat", folder)
    contenders = [truth, own_contender("pubray", "pubray", folder), own_contender("HNSW32", "hnsw", folder)]
    contenders += rivals(folder, Path(config.cache), contenders[1].bytes)
    exact = [set(found[:10]) for found in truth.points[0]["found"]], [set(f) for f in truth.points[0]["found"]]
    queries, base_rate = len(exact[0]), len(exact[0]) / truth.points[0]["cpu_seconds"]
    points = []
    for contender in contenders:
        for point in contender.points:
            found = point["found"]
            points.append(
                {
                    "name": contender.name,
                    "setting": point["setting"],
                    "served": point["setting"].startswith(SERVED),
                    "recall_at_10": hits([f[:10] for f in found], exact[0]),
                    "recall_at_100": hits(found, exact[1]),
                    "queries_per_second": queries / point["cpu_seconds"],
                    "speed": queries / point["cpu_seconds"] / base_rate,
                    "bytes": contender.bytes,
                    "bytes_with_vectors": contender.bytes_with_vectors,
                    "memory": contender.bytes / truth.bytes,
                }
            )
    (folder / "quality.json").write_text(json.dumps(points, indent=1))
    show(points, queries, truth)
    plot(folder, Path(config.cache))


def show(points: Sequence[dict[str, Any]], queries: int, truth: Contender) -> None:
    """Print the table."""
    say(
        f"{queries} title queries, one at a time, {DEPTH} wanted; queries/s of a CPU second, beside {BASE}'s; memory "
        f"beside {BASE}'s {megabytes(truth.bytes)}: anonymous and mapped files, without and with the vectors"
    )
    keys = ("name", "setting", "recall_at_10", "recall_at_100", "queries_per_second", "speed")
    rows = [[*(p[k] for k in keys), p["memory"], p["bytes_with_vectors"] / truth.bytes_with_vectors] for p in points]
    say(table(["index", "setting", "recall@10", "recall@100", "queries/s", "speed", "memory", "with vectors"], rows))


def plot(folder: Path, cache: Path) -> None:
    """Draw recall against speed with the memory as size, in Matplotlib's own environment."""
    subprocess.run(
        [*rival_command(cache, MATPLOTLIB, "index/index_plot.py"), str(folder / "quality.json"), str(PLOT)], check=True
    )


def prepared(folder: Path, base: Path | None) -> Config:
    """Return the configuration over a store of real embeddings with a CURRENT version; made on the first call."""
    folder.mkdir(parents=True, exist_ok=True)
    source = base or Path(base_store([]).store)
    store = folder / "store"
    store.mkdir(exist_ok=True)
    for name in ("articles", "snapshots", "vectors"):
        (source / name).mkdir(exist_ok=True)
        if not (store / name).exists():
            (store / name).symlink_to((source / name).resolve())
    config = load_config(None, [], {"PUBRAY_STORE": str(store)})
    objects = LocalStore(config.store)
    if read_current(objects) is None:
        embed.run(config)  # nothing, where the base has the vectors
        index.run(config)
        promote.run(config)
    return config


def write_arrays(folder: Path, config: Config, count: int) -> None:
    """Write vectors and PMIDs of the version's rows in order of PMID, and the vectors of title queries."""
    objects = LocalStore(config.store)
    version = served_version(objects)
    quantizer = Quantizer(read_named(objects, Layout.quantizer, version.quantizer, "quantizer"))
    [segment] = [OpenSegment(objects, Layout.segment(s.id), s, quantizer) for s in version.segments]
    order = segment.pmid_order
    np.save(folder / "vectors.npy", segment.rows[order].astype(np.float32))
    np.save(folder / "pmids.npy", segment.pmids[order])
    chosen = np.random.default_rng(1).choice(len(order), min(count, len(order)), replace=False)
    titles = [title for title in segment.articles["title"].take(pa.array(chosen)).to_pylist() if title]
    tower = QueryTower(config, available_threads())
    np.save(folder / "queries.npy", tower.encode([Query(title) for title in titles]))


def hits(found: Sequence[Sequence[int]], true: Sequence[set[int]]) -> float:
    """Return the share of the true ones that were found, mean over the queries."""
    return float(np.mean([len(t.intersection(f)) / len(t) for f, t in zip(found, true, strict=True)]))

"""Part `night` of benchmarks/index: nights of 1 % on the made index, then a compaction."""

import json
import shutil
import time
from pathlib import Path

import faiss
import numpy as np
import torch

from actors.search.index_searcher import IndexSearcher
from benchmarks.common.job_watch import USE_HEADERS, Watched, use_rows, watched
from benchmarks.common.page_cache import forget_all
from benchmarks.index.index_build import FIGURES
from benchmarks.index.made_index_store import SHARES, MadeStore
from jobs import promote
from jobs.common.console import Progress, say, table
from jobs.common.store import read_current, served_version
from schemas.arrays import Floats
from schemas.manifest import IndexVersion

QUERIES = 200
ROUNDS = 5
WANTED = 10


def night(folder: Path, rows: int, nights: int) -> None:
    """Run the nights on a copy of the store that `build` left (hard links), and print their cost."""
    base = MadeStore(folder, rows)
    if read_current(base.files) is None:
        raise SystemExit(f"{base.root} has no index; run python -m benchmarks.index build --rows {rows} first")
    full = json.loads((folder / FIGURES).read_text())
    shutil.rmtree(folder / "night", ignore_errors=True)
    store = base.linked("night")
    versions = [served_version(store.files)]
    found: list[Watched] = []
    for number in range(nights):
        store.publish_night(number)
        forget_all(store.root)
        found.append(watched(store.file, store.root, "index"))
        promote.run(store.config)
        versions.append(served_version(store.files))
    show_nights(found, full["cpu_seconds"], store, versions)
    forget_all(store.root)
    compaction = watched(store.file, store.root, "compact", "--force")
    promote.run(store.config)
    versions.append(served_version(store.files))
    say(
        f"compaction of {len(versions[-2].segments)} segments: {compaction.seconds:.1f} s, "
        f"{compaction.cpu_seconds:.1f} CPU s, {compaction.cpu_seconds / full['cpu_seconds']:.3f} of the full build"
    )
    say(table(USE_HEADERS, use_rows(compaction)) + "\nmemory in MB, of the largest process\n")
    compare_queries(store, {"before the nights": versions[0], "after them": versions[-2], "compacted": versions[-1]})


def show_nights(nights: list[Watched], full: float, store: MadeStore, versions: list[IndexVersion]) -> None:
    """Print the nights beside the full build, and by task the first of them."""
    mix = ", ".join(f"{share:.0%} {kind}" for kind, share in SHARES.items())
    say(f"{store.rows:,} articles; a night is {store.night_records:,} records: {mix}; full build {full:,.1f} CPU s")
    size = sum(file.bytes for file in versions[0].segments[0].files.values())
    rows = []
    for job, version in zip(nights, versions[1:], strict=True):
        work = sum(use.cpu_seconds for task, use in job.tasks.items() if task in WORK)
        rows.append(
            [
                job.seconds,
                job.cpu_seconds,
                job.cpu_seconds / full,
                work / full,
                job.disk_bytes / 1e6,
                job.disk_bytes / size,
                len(version.segments),
                sum(t.rows for t in version.tombstones.values()),
            ]
        )
    headers = [
        "seconds",
        "CPU s",
        "of the full build",
        "of it tasks",
        "read MB",
        "of the base",
        "segments",
        "dead rows",
    ]
    say(table(headers, rows))
    say("read: by all processes from disk, through maps too, libraries and Ray's own too; the store was not cached\n")
    reads = [
        [task, use.cpu_seconds, use.asked_bytes / 1e6, use.disk_bytes / 1e6] for task, use in nights[0].tasks.items()
    ]
    say("the first night\n" + table(["task", "CPU s", "read calls, MB", "from disk, MB"], reads) + "\n")


WORK = {"find_changes", "bury", "build_worker_shards", "merge", "check_rows", "measure_recall"}
"""The tasks of a night; the rest is Ray's and Python's start, whatever the size."""


def compare_queries(store: MadeStore, versions: dict[str, IndexVersion]) -> None:
    """Print the CPU time of a query, versions taking turns; everything is in the page cache."""
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    searchers = {name: IndexSearcher(store.files, version) for name, version in versions.items()}
    # Near an article, as a title is: vectors that no article has, of the same clusters.
    queries = store.vectors.of(np.arange(QUERIES, dtype=np.uint64) + np.uint64(2**63)).astype(np.float32)
    seconds: dict[str, list[float]] = {name: [] for name in versions}
    progress = Progress("queries", (ROUNDS + 1) * len(versions) * QUERIES, "queries")
    for number in range(ROUNDS + 1):
        for name, searcher in searchers.items():
            taken = search_all(searcher, queries)
            progress.add(QUERIES)
            if number:  # the first round reads from disk
                seconds[name].append(taken)
    progress.finish()
    compacted = float(np.median(seconds["compacted"]))
    rows = [
        [
            name,
            len(versions[name].segments),
            np.median(s) / QUERIES * 1e3,
            np.median(s) / compacted,
            min(s) / min(seconds["compacted"]),
        ]
        for name, s in seconds.items()
    ]
    say(f"{QUERIES} queries one at a time, {WANTED} wanted; medians of {ROUNDS} rounds; the target is 1.25")
    say(table(["version", "segments", "CPU ms a query", "of the compacted", "of it, best rounds"], rows))


def search_all(searcher: IndexSearcher, queries: Floats) -> float:
    """Return the CPU seconds of one query after another."""
    start = time.process_time()
    for query in queries:
        searcher.candidates(query[None], WANTED)
    return time.process_time() - start

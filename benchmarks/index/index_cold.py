"""Part `cold` of benchmarks/index: queries on an index that does not fit into memory.

The limit is a quarter of the row file. With `--memory-group DIR`, an empty cgroup (v1 or v2) that this user may write,
the kernel keeps it, for all of the process. Without one it is kept from here, for the files of the index and what the
process took beside them to open and search it: after every query, pages beyond the limit are dropped at random, a
megabyte at a time. The kernel's choice would be a better one, so this errs on the slow side. Cold: before every query
all pages of the index are dropped.
"""

import mmap
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import torch

from actors.search.index_searcher import IndexSearcher
from benchmarks.common.page_cache import PAGE, advise, forget, forget_range, mappings, resident_bytes, resident_pages
from benchmarks.index.index_contenders import anonymous
from benchmarks.index.made_index_store import MadeStore
from jobs.common.console import Progress, megabytes, say, table
from jobs.common.store import read_current, served_version
from retrieval.index.tuning import nlist_for, nprobe_for
from schemas.arrays import Floats
from schemas.layout import LISTS, PMIDS, ROWS, Layout
from schemas.manifest import IndexVersion

WANTED = 10
ADVISED = ", rows advised random"
"""To the kernel, by madvise: it then reads no more than is asked for, where it would read far around it."""
FILES = (LISTS, ROWS, PMIDS)
"""What a search reads."""
EXTENT = 256 * PAGE
PUBMED = 40_000_000
DISKS = {"NVMe": (100e-6, 3e9), "network disk": (1e-3, 250e6)}
"""Seconds a read, bytes a second."""
IN_FLIGHT = 16
"""Reads at a time, where they are asked for together."""


def cold(folder: Path, rows: int, count: int, group: Path | None) -> None:
    """Print latency and reads for each condition, then the arithmetic for all of PubMed."""
    store = MadeStore(folder, rows)
    if read_current(store.files) is None:
        raise SystemExit(f"{store.root} has no index; run python -m benchmarks.index build --rows {rows} first")
    version = served_version(store.files)
    [segment] = version.segments
    files = [store.files.path(Layout.segment(segment.id)) / name for name in FILES]
    limit = segment.files[ROWS].bytes // 4
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    queries = unseen(store, 0, count)
    outside = anonymous()
    searcher = IndexSearcher(store.files, version)
    say(
        f"{rows:,} articles, rows {megabytes(segment.files[ROWS].bytes)}, lists {megabytes(segment.files[LISTS].bytes)}"
    )
    touched: dict[str, float] = {}
    few = queries[: max(1, count // 3)]
    measured = [
        condition("cold", searcher, few, files, lambda: drop(files), touched),
        condition(f"cold{ADVISED}", searcher, few, files, lambda: drop(files, random=True)),
    ]

    def keep() -> None:
        if not group:
            keep_within(files, limit + outside)

    if group:
        enter(group, limit)
    for number, advised in enumerate(("", ADVISED)):
        drop(files, random=bool(advised))
        for query in queries:  # until what stays in memory is what it will be
            searcher.candidates(query[None], WANTED)
            keep()
        name = f"a quarter of the rows{', by the kernel' if group else ''}{advised}"
        measured.append(condition(name, searcher, unseen(store, number + 1, count), files, keep))
    held = megabytes(anonymous() - (0 if group else outside))
    say(f"limit {megabytes(limit)}, of which {held} are anonymous memory")
    if not group:
        for query in queries:
            searcher.candidates(query[None], WANTED)
        measured.append(condition("all in memory", searcher, queries, files, lambda: None))
    headers = ["condition", "p50 ms", "p99 ms", "faults that wait", "MB from disk", "CPU ms"]
    say(table(headers, measured))
    say("a query; medians of reads. p99 of few queries is near the worst\n")
    project(version, touched)


def condition(
    name: str,
    searcher: IndexSearcher,
    queries: Floats,
    files: list[Path],
    before: Callable[[], None],
    touched: dict[str, float] | None = None,
) -> list[object]:
    """Return the row of a condition, which `before` brings about before each query."""
    times, faults, sizes, cpu = [], [], [], []
    pages: list[list[int]] = []
    progress = Progress("queries", len(queries), name)
    for query in queries:
        before()
        reads, waits = disk_bytes(), resource.getrusage(resource.RUSAGE_SELF).ru_majflt
        start, busy = time.perf_counter(), time.process_time()
        searcher.candidates(query[None], WANTED)
        times.append(time.perf_counter() - start)
        cpu.append(time.process_time() - busy)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_majflt - waits)
        sizes.append(disk_bytes() - reads)
        if touched is not None:
            pages.append([int(resident_pages(file).sum()) * PAGE for file in files])
        progress.add(1)
    progress.finish()
    if touched is not None:
        touched.update(zip(FILES, np.median(pages, axis=0).tolist(), strict=True))
    p50, p99 = np.percentile(times, [50, 99]) * 1e3
    return [name, p50, p99, int(np.median(faults)), np.median(sizes) / 1e6, np.median(cpu) * 1e3]


def unseen(store: MadeStore, number: int, count: int) -> Floats:
    """Return queries that were not asked before, for each number others; near articles, as a title is."""
    return store.vectors.of(np.arange(count, dtype=np.uint64) + np.uint64(2**63 + number * count)).astype(np.float32)


def drop(files: list[Path], *, random: bool = False) -> None:
    """Put the files out of memory. `random`: tell the kernel that rows are read here and there."""
    for file in files:
        forget(file)
        for start, length, _ in mappings(file):
            advise(start, length, mmap.MADV_RANDOM if random and file.name == ROWS else mmap.MADV_NORMAL)


def keep_within(files: list[Path], limit: int) -> None:
    """Drop pages at random until files and process are within the limit."""
    rng = np.random.default_rng(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    while (over := resident_bytes(files) + anonymous() - limit) > 0:
        extents = [
            (file, int(e)) for file in files for e in np.unique(np.flatnonzero(resident_pages(file)) * PAGE // EXTENT)
        ]
        if not extents:
            raise SystemExit(f"{megabytes(anonymous())} of anonymous memory are beyond the limit; take more rows")
        for place in rng.permutation(len(extents))[: max(1, over // EXTENT)]:
            file, extent = extents[place]
            forget_range(file, extent * EXTENT, EXTENT)


def enter(group: Path, limit: int) -> None:
    """Put this process under a limit of memory, page cache included."""
    for name in ("memory.max", "memory.limit_in_bytes"):
        if (group / name).exists():
            (group / name).write_text(str(limit))
            (group / "cgroup.procs").write_text(str(os.getpid()))
            return
    raise SystemExit(f"--memory-group {group}: it has neither memory.max nor memory.limit_in_bytes")


def disk_bytes() -> int:
    """Return what this process had read from disk."""
    [size] = [line for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("read_bytes")]
    return int(size.split()[1])


def project(version: IndexVersion, touched: dict[str, float]) -> None:
    """Print what a query would read of the index of all of PubMed, and how long disks take for it.

    Lists: nprobe of them, each one read. Rows: each candidate one read of the pages that it lies on.
    """
    [segment] = version.segments
    say(", ".join(f"{name} {size / 1e6:,.2f} MB" for name, size in touched.items()) + " in memory after a cold query")
    nlist = nlist_for(PUBMED)
    nprobe = nprobe_for(nlist)
    row_bytes = segment.dimension * 2
    entry = segment.code_size + 8
    # Long lists are probed more often than short ones, by the factor that the version measured.
    scanned = PUBMED * nprobe / nlist * version.checks.imbalance
    parts = {
        "lists": (nprobe, scanned * entry),
        "rows": (version.candidates, version.candidates * (row_bytes + PAGE)),
    }
    parts["both"] = (parts["lists"][0] + parts["rows"][0], parts["lists"][1] + parts["rows"][1])
    rows = [
        [name, reads, size / 1e6]
        + [
            (reads / flight * seconds + size / rate) * 1e3
            for seconds, rate in DISKS.values()
            for flight in (1, IN_FLIGHT)
        ]
        for name, (reads, size) in parts.items()
    ]
    columns = [f"{disk}, {n} at a time, ms" for disk in DISKS for n in (1, IN_FLIGHT)]
    say(f"{PUBMED:,} articles, {nlist:,} lists, nprobe {nprobe}, nothing in memory; arithmetic, not measured")
    say(table(["of a cold query", "reads", "MB", *columns], rows))
    say(
        f"lists of {PUBMED * entry / 1e9:.1f} GB are meant to stay in memory; "
        f"rows take {PUBMED * row_bytes / 1e9:.0f} GB"
    )

"""Part `build` of benchmarks/index: `pubray index` on made articles, watched, beside bare faiss and autofaiss."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common.job_watch import ROOT, USE_HEADERS, Watched, use_rows, watched
from benchmarks.index.index_rivals import ONE_THREAD, output, suited_blas
from benchmarks.index.made_index_store import MadeStore
from benchmarks.rivals.rivals import AUTOFAISS, rival_command
from jobs import promote
from jobs.common.console import log, say, table
from jobs.common.store import ingested, keep_selection, served_version
from retrieval.embed.vector_parts import read_vectors, row_ranges
from retrieval.files.checked import read_named
from retrieval.index.centroids.quantizer import Quantizer
from retrieval.index.centroids.quantizer_training import GRAPH_LISTS
from retrieval.index.exact import BLOCK
from retrieval.rows.records import read_kept
from schemas.errors import PubrayError
from schemas.layout import Layout
from schemas.manifest import IndexVersion

MADE = {"articles", "snapshots", "vectors"}
"""What is kept when the index is built anew."""
FIGURES = "build.json"


def build(folder: Path, rows: int, subset: int) -> None:
    """Build the index anew and print what it took."""
    store = MadeStore(folder, rows)
    store.write()
    for path in store.root.iterdir():
        if path.name not in MADE:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    job = watched(store.file, store.root, "index")
    promote.run(store.config)
    version = served_version(store.files)
    (folder / FIGURES).write_text(json.dumps({"rows": rows, "cpu_seconds": job.cpu_seconds, "seconds": job.seconds}))
    show_job(job, version)
    compare_add(folder, store, version, job, min(subset, rows))
    say(f"peaks of any worker and of the merge are to be 2,000 MB at most, and the same for twice the rows ({rows:,})")


def show_job(job: Watched, version: IndexVersion) -> None:
    """Print time by stage, use by task, and disk."""
    rows = version.articles
    say(f"{rows:,} x {version.segments[0].dimension}, {job.report['lists']:,} lists, {os.cpu_count()} cores")
    stages = [[name, wall, cpu, rows / cpu] for name, (wall, cpu) in job.stages.items()]
    stages.append(["all", job.seconds, job.cpu_seconds, rows / job.cpu_seconds])
    say(table(["stage", "seconds", "CPU s", "rows/CPU s"], stages))
    say("\n" + table(USE_HEADERS, use_rows(job)) + "\nmemory in MB, of the largest process\n")
    sizes = {name: file.bytes for s in version.segments for name, file in s.files.items()}
    say(table(["file", "bytes a row"], [[name, size / rows] for name, size in sizes.items()]))
    say(
        f"segment {sum(sizes.values()) / rows:,.0f} bytes a row, worker shards at their most "
        f"{job.temporary_bytes / rows:,.0f}, deleted at the end\n"
    )


def compare_add(folder: Path, store: MadeStore, version: IndexVersion, job: Watched, subset: int) -> None:
    """Print rows per CPU second of what makes worker shards beside what it cannot do without."""
    quantizer = store.files.path(Layout.quantizer(version.quantizer))
    vectors = folder / f"subset-{subset}.npy"
    if not vectors.exists():
        write_subset(store, subset, vectors)
    rates = {"pubray: worker shards, all of it": version.articles / job.tasks["build_worker_shards"].cpu_seconds}
    for blas in ({}, suited_blas()):
        name = " ".join(blas.values()) or "as it finds itself"
        rates[f"faiss add, exact, BLAS {name}"] = bare_add(quantizer, vectors, blas, "exact")
    best = max(rate for name, rate in rates.items() if name.startswith("faiss"))
    if job.report["lists"] >= GRAPH_LISTS:
        rates["faiss add, by the graph"] = bare_add(quantizer, vectors, suited_blas())
    rates |= own_steps(
        store, Quantizer(read_named(store.files, Layout.quantizer, version.quantizer, "quantizer")), vectors
    )
    headers = ["one core, the same quantizer", "rows/CPU s", "of exact faiss"]
    say(table(headers, [[name, rate, rate / best] for name, rate in rates.items()]))
    say("the target of the first is 0.85; those in brackets are its parts, on their own and in this process\n")
    try:
        found = autofaiss(Path(store.config.cache), vectors, subset, version)
    except (PubrayError, subprocess.TimeoutExpired) as error:
        say(f"missing: {error}")
        return
    whole, own = found["rows"] / found["cpu_seconds"], version.articles / job.cpu_seconds
    say(f"autofaiss, {subset:,} rows, the memory of pubray's lists: {found['key']}")
    say(f"it adds {found['add_rate']:,.0f} rows/CPU s, {found['add_rate'] / best:.2f} of exact faiss")
    say(f"with choosing and training {whole:,.0f}; pubray from start to exit {own:,.0f}, {own / whole:.2f} x")


def bare_add(quantizer: Path, vectors: Path, blas: dict[str, str], *exact: str) -> float:
    """Run `faiss_add` with a BLAS of choice; return rows per CPU second."""
    command = [sys.executable, "-m", "benchmarks.index.faiss_add", str(quantizer), str(vectors), *exact]
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    log(f"measuring faiss add {blas}")
    done = subprocess.run(
        command, cwd=ROOT, env={**environment, **ONE_THREAD, **blas}, stdout=subprocess.PIPE, text=True, check=True
    )
    found = json.loads(done.stdout)
    return float(found["rows"] / found["cpu_seconds"])


def own_steps(store: MadeStore, quantizer: Quantizer, vectors: Path) -> dict[str, float]:
    """Return rows per CPU second of what a worker does, one step at a time on one thread."""
    torch.set_num_threads(1)
    rows = np.load(vectors, mmap_mode="r")[: 16 * BLOCK]
    blocks = [np.array(rows[i : i + BLOCK]) for i in range(0, len(rows), BLOCK)]
    halves = [block.astype(np.float16) for block in blocks]
    rotated = [quantizer.rotate(block) for block in blocks]
    lists = [quantizer.assign(block) for block in rotated]
    selection = keep_selection(store.files, store.config.selection)
    version = served_version(store.files)
    part, *_ = row_ranges(ingested(store.files).info.parts, store.config.embed.rows_per_part)
    path = store.files.path(Layout.vector_part(version.fingerprint, selection, part.name))
    size, articles = part.stop - part.start, store.files.path(Layout.article_part(part.source))
    return {
        "(to float32)": rate(lambda: [half.astype(np.float32) for half in halves], len(rows)),
        "(rotate)": rate(lambda: [quantizer.rotate(block) for block in blocks], len(rows)),
        "(assign)": rate(lambda: [quantizer.assign(block) for block in rotated], len(rows)),
        "(encode)": rate(lambda: [quantizer.encode(*pair) for pair in zip(rotated, lists, strict=True)], len(rows)),
        "(read vectors)": rate(lambda: read_vectors(path), size),
        "(read articles)": rate(lambda: read_kept(articles, part.start, part.stop), size),
    }


def rate(step: Callable[[], object], rows: int) -> float:
    """Return the rows per CPU second of a step, the best of three."""
    seconds = []
    for _ in range(3):
        start = time.process_time()
        step()
        seconds.append(time.process_time() - start)
    return rows / max(min(seconds), 1e-9)


def write_subset(store: MadeStore, subset: int, path: Path) -> None:
    """Write the vectors of the first articles in float32, as FAISS wants them."""
    selection = keep_selection(store.files, store.config.selection)
    version = served_version(store.files)
    taken: list[Any] = []
    for part in row_ranges(ingested(store.files).info.parts, store.config.embed.rows_per_part):
        if sum(map(len, taken)) >= subset:
            break
        _, vectors, _ = read_vectors(store.files.path(Layout.vector_part(version.fingerprint, selection, part.name)))
        taken.append(vectors.astype(np.float32))
    np.save(path, np.concatenate(taken)[:subset])


def autofaiss(cache: Path, vectors: Path, subset: int, version: IndexVersion) -> Any:
    """Let autofaiss choose and build within the memory of as many rows of pubray's lists."""
    memory = subset * (version.segments[0].code_size + 8)
    folder = vectors.with_suffix("")
    folder.mkdir(exist_ok=True)
    command = rival_command(cache, AUTOFAISS, "rivals/rival_autofaiss.py")
    task = ["build", str(vectors), f"{memory / 1e6:.1f}MB", str(folder)]
    return output("autofaiss", [*command, *task], ONE_THREAD)

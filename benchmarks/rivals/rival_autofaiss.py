"""Run by the rival's own interpreter, which has autofaiss and nothing of pubray.

    rival_autofaiss.py build VECTORS.npy MEMORY FOLDER
    rival_autofaiss.py search FOLDER QUERIES.npy DEPTH

build: let autofaiss choose and build an index of at most MEMORY ("5.0MB") on one thread; print what it took.
search: print what the index finds for each number of probed lists (or efSearch), one query at a time, and its memory.
Output is JSON; times are CPU seconds.
"""

import json
import re
import sys
import time
from pathlib import Path

import faiss  # type: ignore[import-not-found,unused-ignore]
import numpy as np
from autofaiss import build_index  # type: ignore[import-not-found]

ADDED = 20_000
"""Rows that the speed of adding alone is measured on."""
LADDER = (1, 2, 4, 8, 16, 32, 64, 128)


def main() -> None:
    """Build or search."""
    faiss.omp_set_num_threads(1)
    task, *arguments = sys.argv[1:]
    sys.stdout.write(json.dumps({"build": build, "search": search}[task](*arguments)) + "\n")


def build(vectors: str, memory: str, folder: str) -> "dict[str, object]":
    """Build and keep an index."""
    rows = np.load(vectors)
    start = time.process_time()
    index, infos = build_index(
        rows, save_on_disk=False, max_index_memory_usage=memory, metric_type="ip", nb_cores=1, verbose=30
    )
    result = {"rows": len(rows), "cpu_seconds": time.process_time() - start, "key": str(infos["index_key"])}
    faiss.write_index(index, f"{folder}/index.faiss")
    start = time.process_time()
    index.add(rows[:ADDED])
    result["add_rate"] = min(ADDED, len(rows)) / (time.process_time() - start)
    return result


def search(folder: str, asked: str, depth: str) -> "dict[str, object]":
    """Search in it."""
    queries, before = np.load(asked), anonymous()
    index = faiss.read_index(f"{folder}/index.faiss")
    for query in queries:
        index.search(query[None], int(depth))  # what it finds is not kept, or it would be counted
    memory = anonymous() - before
    return {"points": points(index, queries, int(depth)), "anonymous": memory}


def points(index: "faiss.Index", queries: "np.ndarray", depth: int) -> "list[dict[str, object]]":
    """Search at each step of the ladder."""
    faiss.omp_set_num_threads(1)
    name = "efSearch" if "HNSW" in type(faiss.downcast_index(index)).__name__ else "nprobe"
    found = []
    for step in LADDER:
        faiss.ParameterSpace().set_index_parameter(index, name, step)
        start = time.process_time()
        ids = [index.search(query[None], depth)[1][0].tolist() for query in queries]
        seconds = time.process_time() - start
        found.append({"setting": f"{name} {step}", "cpu_seconds": seconds, "found": ids})
    return found


def anonymous() -> int:
    """Return the bytes of anonymous memory of this process."""
    status = Path("/proc/self/status").read_text()
    match = re.search(r"RssAnon:\s+(\d+)", status)
    return int(match[1]) * 1024 if match else 0


if __name__ == "__main__":
    main()

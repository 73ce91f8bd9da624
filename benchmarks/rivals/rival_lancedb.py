"""Run by the rival's own interpreter, which has LanceDB and nothing of pubray.

    rival_lancedb.py build VECTORS.npy KIND FOLDER
    rival_lancedb.py search FOLDER QUERIES.npy DEPTH

build: write a table of float32 vectors (on float16 it trains ten times as long) with an index of KIND, IVF_PQ or
IVF_RQ. search: print what it finds for a ladder of probed lists and refine factors, one query at a time, and its
memory. Output is JSON; times are CPU seconds of all its threads: with one thread of each kind it hangs.
"""

import json
import re
import sys
import time
from pathlib import Path

import lancedb.index  # type: ignore[import-not-found]
import numpy as np
import pyarrow as pa

PROBES = (8, 16, 32, 64)
REFINES = (2, 5, 10)


def main() -> None:
    """Build or search."""
    task, *arguments = sys.argv[1:]
    sys.stdout.write(json.dumps({"build": build, "search": search}[task](*arguments)) + "\n")


def build(vectors: str, kind: str, folder: str) -> "dict[str, object]":
    """Write the table and its index: lists of 256 rows, it wants no fewer; a byte for 8 dimensions."""
    rows = np.load(vectors)
    dimension, lists = rows.shape[1], max(1, len(rows) // 256)
    column = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), dimension)
    content = pa.table({"id": np.arange(len(rows)), "vector": column})
    table = lancedb.connect(folder).create_table("rows", content, mode="overwrite")
    rules = {"distance_type": "cosine", "num_partitions": lists}
    start = time.process_time()
    if kind == "IVF_PQ":
        table.create_index("vector", config=lancedb.index.IvfPq(num_sub_vectors=dimension // 8, **rules))
    else:
        table.create_index("vector", config=lancedb.index.IvfRq(**rules))
    return {"cpu_seconds": time.process_time() - start, "vector_bytes": rows.nbytes}


def search(folder: str, asked: str, depth: str) -> "dict[str, object]":
    """Search in it."""
    queries, before = np.load(asked), anonymous()
    table = lancedb.connect(folder).open_table("rows")
    for query in queries:
        ask(table, query, int(depth), PROBES[0], REFINES[0])  # what it finds is not kept, or it would be counted
    memory = anonymous() - before
    points = [step(table, queries, int(depth), probes, refine) for probes in PROBES for refine in REFINES]
    return {"points": points, "anonymous": memory}


def step(
    table: "lancedb.table.Table", queries: "np.ndarray", depth: int, probes: int, refine: int
) -> "dict[str, object]":
    """Search with one rule."""
    ask(table, queries[0], depth, probes, refine)
    start = time.process_time()
    found = [ask(table, query, depth, probes, refine) for query in queries]
    seconds = time.process_time() - start
    return {"setting": f"nprobes {probes}, refine {refine}", "cpu_seconds": seconds, "found": found}


def ask(table: "lancedb.table.Table", query: "np.ndarray", depth: int, probes: int, refine: int) -> "list[int]":
    """Return the ids for one query."""
    search = table.search(query).distance_type("cosine").nprobes(probes).refine_factor(refine)
    return search.select(["id", "_distance"]).limit(depth).to_arrow()["id"].to_pylist()


def anonymous() -> int:
    """Return the bytes of anonymous memory of this process."""
    status = Path("/proc/self/status").read_text()
    match = re.search(r"RssAnon:\s+(\d+)", status)
    return int(match[1]) * 1024 if match else 0


if __name__ == "__main__":
    main()

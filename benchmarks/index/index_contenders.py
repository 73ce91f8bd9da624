"""One index in a process of its own, searched one query at a time on one thread.

    python -m benchmarks.index.index_contenders prepare|pubray|flat|hnsw FOLDER

FOLDER holds vectors.npy, pmids.npy, queries.npy and the store; `prepare` adds the indexes of FAISS. Prints what each
setting finds, its CPU seconds and the memory of the process, as JSON. Memory: anonymous, beyond what the process had
before it opened the index; and of each file that it has mapped the resident bytes; when all queries have been asked
once by the first setting.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch

from actors.search.index_searcher import IndexSearcher
from actors.store.local_store import LocalStore
from jobs.common.console import say
from jobs.common.store import served_version
from retrieval.search.segment_search import search
from schemas.arrays import Floats

DEPTH = 100
"""Every search asks for so many, by which recall@10 and recall@100 are measured."""
EF_SEARCH = (100, 150, 200, 300, 500, 800)
CANDIDATES = (100, 200, 350, 500, 1000)
SERVED = "served"
ROUNDS = 3

Search = Callable[[Floats], Any]


def main() -> None:
    """Search with every setting of one contender."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    if name == "prepare":
        prepare(folder)
        return
    queries: Floats = np.load(folder / "queries.npy")
    faiss.omp_set_num_threads(1)
    torch.set_num_threads(1)
    # What the libraries take when they are first used is no index's.
    torch.ones(8, 8) @ torch.ones(8, 8)
    before = anonymous()
    points: list[dict[str, Any]] = []
    memory: dict[str, Any] = {}
    for setting, one in {"pubray": pubray, "flat": flat, "hnsw": hnsw}[name](folder):
        if not memory:
            for query in queries:
                one(query)  # what it finds is not kept, or it would be counted
            memory = {"anonymous": anonymous() - before, "mapped": mapped(folder)}
        points.append({"setting": setting, **timed(one, queries)})
    say(json.dumps({"points": points, **memory}))


def pubray(folder: Path) -> Iterator[tuple[str, Search]]:
    """Yield the served rules, then a ladder of nprobe and candidates."""
    objects = LocalStore(str(folder / "store"))
    searcher = IndexSearcher(objects, served_version(objects))
    served, nlist = searcher.version.nprobe, searcher.quantizer.nlist
    yield f"{SERVED}, 10 wanted", lambda q: searcher.candidates(q[None], 10)[0].pmids[:DEPTH].tolist()
    yield f"{SERVED}, 100 wanted", lambda q: searcher.candidates(q[None], DEPTH)[0].pmids[:DEPTH].tolist()

    def rule(nprobe: int, candidates: int) -> Search:
        return lambda q: (
            search(q[None], searcher.segments, searcher.quantizer, nprobe=nprobe, candidates=candidates)[0]
            .pmids[:DEPTH]
            .tolist()
        )

    for nprobe in sorted({max(1, served // 4), served // 2, served, min(2 * served, nlist)} - {0}):
        for candidates in CANDIDATES:
            yield f"nprobe {nprobe}, candidates {candidates}", rule(nprobe, candidates)


def flat(folder: Path) -> Iterator[tuple[str, Search]]:
    """Yield exact search in float32, which is what the others are measured against."""
    index = faiss.read_index(str(folder / "flat.faiss"))
    yield "exact", faiss_search(folder, index)


def hnsw(folder: Path) -> Iterator[tuple[str, Search]]:
    """Yield a ladder of efSearch."""
    index = faiss.read_index(str(folder / "hnsw.faiss"))
    for ef in EF_SEARCH:
        index.hnsw.efSearch = ef
        yield f"efSearch {ef}", faiss_search(folder, index)


def faiss_search(folder: Path, index: faiss.Index) -> Search:
    """Return the search of a FAISS index over vectors.npy."""
    pmids = np.load(folder / "pmids.npy", mmap_mode="r")
    return lambda q: pmids[index.search(q[None], DEPTH)[1][0]].tolist()


def prepare(folder: Path) -> None:
    """Build what FAISS is asked for, unless it is there."""
    vectors = np.load(folder / "vectors.npy")
    graph = faiss.IndexHNSWFlat(vectors.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = 200
    for index, name in ((faiss.IndexFlatIP(vectors.shape[1]), "flat"), (graph, "hnsw")):
        if not (path := folder / f"{name}.faiss").exists():
            index.add(vectors)
            faiss.write_index(index, str(path))


def timed(one: Search, queries: Floats) -> dict[str, Any]:
    """Search for each query; the time is the median of the rounds."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        found = [one(query) for query in queries]
        seconds.append(time.process_time() - start)
    return {"cpu_seconds": float(np.median(seconds)), "found": found}


def anonymous() -> int:
    """Return the bytes of anonymous memory of this process."""
    found = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def mapped(folder: Path) -> dict[str, int]:
    """Return the resident bytes of each file below a folder that this process has mapped."""
    sizes: dict[str, int] = {}
    name = ""
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first, *rest = line.split(maxsplit=5)
        if not first.endswith(":"):
            name = rest[-1] if len(rest) == 5 else ""
        elif first == "Rss:" and name.startswith(str(folder.resolve())):
            sizes[Path(name).name] = sizes.get(Path(name).name, 0) + int(rest[0]) * 1024
    return sizes


if __name__ == "__main__":
    main()

"""The index at scale, and beside its rivals: ratios within one run, in four parts.

    python -m benchmarks.index quality [--store FOLDER] [--queries 500]      real embeddings, 33 thousand x 384
    python -m benchmarks.index build   [--rows 4000000]                      made ones x 768, written on the first call
    python -m benchmarks.index night   [--rows 4000000] [--nights 5]         needs build
    python -m benchmarks.index cold    [--rows 4000000] [--memory-group DIR] needs build

quality: recall, speed and memory of pubray, faiss (Flat, HNSW), autofaiss and LanceDB; draws docs/index_quality.png.
build: `pubray index` watched from outside: time, CPU, memory of each process, beside bare `faiss.add` and autofaiss.
night: five nights of 1 %, what they cost, and what a query costs before and after `pubray compact`.
cold: queries where a quarter of the row file fits into memory, and from a cold page cache; 40 million by arithmetic.

All is kept in ~/.cache/pubray/benchmarks/index-ROWS, so that a part can be run again. 4 million rows take 45 GB there.
"""

import argparse
from pathlib import Path

from benchmarks.index.index_build import build
from benchmarks.index.index_cold import cold
from benchmarks.index.index_night import night
from benchmarks.index.index_quality import quality
from benchmarks.index.made_index_store import folder_for


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser()
    parts = parser.add_subparsers(dest="part", required=True)
    part = parts.add_parser("quality")
    part.add_argument("--store", type=Path, help="one with all vector parts of the embedded data")
    part.add_argument("--queries", type=int, default=500)
    for name in ("build", "night", "cold"):
        part = parts.add_parser(name)
        part.add_argument("--rows", type=int, default=4_000_000)
    parts.choices["build"].add_argument("--subset", type=int, default=100_000, help="rows that rivals are given")
    parts.choices["night"].add_argument("--nights", type=int, default=5)
    parts.choices["cold"].add_argument("--queries", type=int, default=300)
    parts.choices["cold"].add_argument("--memory-group", type=Path, help="a cgroup of memory that this user may write")
    options = parser.parse_args()
    if options.part == "quality":
        quality(folder_for(33_000).with_name("index-quality"), options.store, options.queries)
        return
    folder = folder_for(options.rows)
    if options.part == "build":
        build(folder, options.rows, options.subset)
    elif options.part == "night":
        night(folder, options.rows, options.nights)
    else:
        cold(folder, options.rows, options.queries, options.memory_group)


if __name__ == "__main__":
    main()

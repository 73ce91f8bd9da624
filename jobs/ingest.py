"""Source files → article parts → snapshot. A source file that has its part is neither fetched nor read again."""

import argparse
import gc
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import ray

from actors.fetch.fetching import fetching
from jobs.common.cluster import connect
from jobs.common.console import Progress, table
from jobs.common.root_cause import root_cause
from jobs.common.store import newest_snapshot, open_layout
from jobs.steps.source_origins import Origin, open_origin
from retrieval.articles.article import Rejects
from retrieval.articles.article_parts import ArticlePart, read_article_part, write_article_part
from retrieval.articles.snapshot import read_snapshot
from retrieval.articles.snapshot_update import SnapshotPlan, write_snapshot
from retrieval.ingest.lineage import check_vanished, next_lineage, parts_in_order
from retrieval.ingest.ncbi import check_md5
from retrieval.ingest.readers import open_source
from retrieval.ingest.sources import source_name
from schemas.config import Config
from schemas.errors import InputError, PubrayError, StoreError
from schemas.layout import Layout
from schemas.snapshot import SnapshotCounts, SnapshotInfo


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the job's options."""
    parser.add_argument(
        "--source",
        required=True,
        metavar="PATH",
        help="a file or folder of PubMed XML(.gz), Parquet (pmid, title, abstract) or BEIR corpus.jsonl; "
        "`ncbi`: NCBI's baseline and updates; `embedded:pubmed`: two real PubMed files",
    )
    parser.add_argument(
        "--baseline",
        action="store_true",
        help="the files are a whole baseline: articles that it lacks are deleted (for `ncbi` that is known)",
    )


def run(config: Config, options: argparse.Namespace) -> dict[str, Any]:
    """Fetch and parse the missing files in parallel, then commit the snapshot of all article parts."""
    layout = open_layout(config)
    previous = newest_snapshot(layout)
    with open_origin(config, options.source, baseline=options.baseline) as origin:
        names = [source_name(file) for file in origin.files]
        baseline = None if origin.baseline is None else [source_name(file) for file in origin.baseline]
        lineage = next_lineage(previous.info if previous else None, baseline, names)
        missing = [file for file in origin.files if not _is_ingested(layout, origin, file)]
        seconds = _parse_all(layout, origin, missing) if missing else 0.0
    wanted = parts_in_order(previous.info if previous else None, lineage, names)
    parts = [read_article_part(Path(layout.article_part(name))) for name in wanted]
    plan = SnapshotPlan(lineage, tuple(part.ref for part in parts), previous)
    info = _snapshot(layout, plan, config.ingest.max_vanished)
    records = sum(part.ref.rows - part.ref.deletions for part in parts)
    rejects = sum((part.rejects for part in parts), Rejects())
    return {
        "snapshot": plan.id,
        "lineage": lineage.number,
        "files": len(parts),
        "ingested": len(missing),
        "seconds": seconds,
        "records": records,
        **info.counts.model_dump(),
        "rejected": rejects.counts,
        "rejected_samples": rejects.samples,
    }


def show(report: dict[str, Any]) -> str:
    """Return the report for a person."""
    counts = [[name.replace("_", " "), report[name]] for name in ("records", *SnapshotCounts.model_fields)]
    rejected = [[f"rejected: {reason}", count] for reason, count in report["rejected"].items()]
    head = f"snapshot {report['snapshot']} of {report['files']} files, {report['ingested']} of them new"
    return f"{head}\n{table(['articles', 'count'], counts + rejected)}"


def _is_ingested(layout: Layout, origin: Origin, file: str) -> bool:
    """Return whether a source file has its part.

    Raises:
        StoreError: it has, but from a file of another size.
    """
    path = Path(layout.article_part(source_name(file)))
    if not path.exists():
        return False
    size = origin.size(file)
    before = read_article_part(path).source_bytes
    if size is not None and size != before:
        raise StoreError(
            f"{file}: {size} bytes, but a file of this name and {before} bytes was ingested before; article parts are "
            "immutable, so give the new file another name"
        )
    return True


def _parse_all(layout: Layout, origin: Origin, files: list[str]) -> float:
    """Fetch and parse files; return the seconds. One that fails does not keep the others from completing."""
    connect()
    progress = Progress("ingest", len(files), "files", "records")
    failures: list[str] = []
    for file, outcome in _outcomes(layout, origin, files):
        if isinstance(outcome, PubrayError):
            failures.append(str(outcome))
            progress.log(f"{file} failed: {outcome}")
        else:
            progress.add(1, outcome.ref.rows)
            progress.log(_line(outcome))
    seconds = progress.finish()
    if failures:
        more = f" (and {len(failures) - 1} more files)" if len(failures) > 1 else ""
        raise InputError(f"{failures[0]}{more}; the other files are done, and no snapshot was made")
    return seconds


def _outcomes(layout: Layout, origin: Origin, files: list[str]) -> Iterator[tuple[str, ArticlePart | PubrayError]]:
    """Fetch files with few connections, parse each on the cluster as soon as it is here; yield as they are done."""
    with fetching(origin.fetch, files, origin.stop) as finished:
        for file, future in finished:
            outcome = _outcome(future)
            if isinstance(outcome, Path):
                finished.add(file, parse_source.remote(layout, outcome).future())
            else:
                yield file, outcome


def _outcome(future: Future[Any]) -> Path | ArticlePart | PubrayError:
    """Return what a fetch or a task gave; an error meant for the user is a result."""
    try:
        result: Path | ArticlePart = future.result()
    except Exception as error:
        if not isinstance(cause := root_cause(error), PubrayError):
            raise
        return cause
    return result


def _line(part: ArticlePart) -> str:
    rejected = sum(part.rejects.counts.values())
    return f"{part.ref.name}: {part.ref.rows:,} records, of them {part.ref.deletions} deletions; {rejected} rejected"


def _snapshot(layout: Layout, plan: SnapshotPlan, max_vanished: float) -> SnapshotInfo:
    """Return the snapshot of a plan; make it if there is none."""
    path = Path(layout.snapshot(plan.id))
    if not path.exists():
        connect()
        progress = Progress("snapshot", sum(part.rows for part in plan.parts), "records")
        ray.get(make_snapshot.remote(layout, plan, max_vanished))
        progress.add(sum(part.rows for part in plan.parts))
        progress.finish()
    return read_snapshot(path).info


@ray.remote(num_cpus=1)
def parse_source(layout: Layout, source: Path) -> ArticlePart:
    """Write the article part of one source file, after a look at the md5 beside it if there is one."""
    # Articles are trees of tuples: a sixth of the time went into looking for cycles, of which there are none.
    gc.disable()
    try:
        md5 = source.with_name(f"{source.name}.md5")
        if md5.exists():
            check_md5(source, md5.read_text())
        rejects = Rejects()
        with open_source(source, rejects) as batches:
            path = layout.article_part(source_name(source.name))
            return write_article_part(path, batches, source.stat().st_size, rejects)
    finally:
        gc.enable()


@ray.remote(num_cpus=1)
def make_snapshot(layout: Layout, plan: SnapshotPlan, max_vanished: float) -> None:
    """Write the snapshot of a plan."""
    previous = plan.previous.info if plan.previous else None
    accept = partial(check_vanished, previous, plan.lineage, max_vanished)
    write_snapshot(layout.snapshot(plan.id), plan, layout.article_part, accept)

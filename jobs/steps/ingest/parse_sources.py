"""Source files → article parts: fetched with few connections, each parsed on the cluster as soon as it is here."""

import gc
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import ray

from actors.fetch.fetching import fetching
from jobs.common.cluster import connect
from jobs.common.console import Progress
from jobs.common.run_reports import root_cause
from jobs.steps.ingest.source_origins import Origin
from retrieval.articles.article import Rejects
from retrieval.articles.article_parts import ArticlePart, write_article_part
from retrieval.ingest.ncbi import check_md5
from retrieval.ingest.readers import open_source
from retrieval.ingest.sources import source_name
from schemas.errors import InputError, PubrayError
from schemas.layout import Layout


def parse_all(layout: Layout, origin: Origin, files: list[str]) -> float:
    """Fetch and parse files; return the seconds. One that fails does not keep the others from completing.

    Raises:
        InputError: one of them cannot be used; the others are done.
    """
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

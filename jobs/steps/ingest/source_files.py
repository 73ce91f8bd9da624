"""Source files: where they come from (a folder, or NCBI's server), and the tasks that make article parts of them."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import ray

from actors.fetch.downloader import Downloader
from actors.fetch.embedded_wheels import embedded_folder
from actors.fetch.mirrored_folder import fetching
from actors.fetch.pubmed_mirror import PubmedMirror
from jobs.common.cluster import connect
from jobs.common.console import Progress, log
from jobs.common.run_reports import root_cause
from retrieval.articles.article import ArticlePart, Rejects, SourceFile, write_article_part
from retrieval.ingest.ncbi import check_md5, updates_after
from retrieval.ingest.readers import open_source
from retrieval.ingest.sources import SUFFIXES, is_pubmed, source_file, source_kind, source_name, source_order
from schemas.config import Config
from schemas.encoder import PREFIX
from schemas.errors import InputError, PubrayError
from schemas.layout import Layout

NCBI = "ncbi"
"""As a source: what their server has."""
NCBI_FOLDERS = ("baseline", "updatefiles")
"""As their server has them; the first says what a whole baseline is."""

NAME_BYTES = 180
"""Of a source file's name: those of its parts are longer, and a file system takes 255."""


class Origin(NamedTuple):
    """Source files, each of another source name."""

    files: list[str]
    """Names of all files, in file order."""
    baseline: list[str] | None
    """Those that are a whole baseline; None where nobody says so."""
    here: Callable[[str], Path | None]
    """Where a file lies before it is fetched, if it does: then it may be another than was read under its name."""
    fetch: Callable[[str], Path]
    """Where a file lies, whole; threads may call it."""
    stop: Callable[[], None]
    """Makes what is being fetched in other threads end."""


@contextmanager
def open_origin(config: Config, source: str, *, baseline: bool) -> Iterator[Origin]:
    """Open what `--source` names; `baseline`: its files are a baseline.

    Raises:
        InputError: there is no such thing, or it holds no source files.
    """
    if source != NCBI:
        paths = {path.name: path for path in find_sources(source, Path(config.cache))}
        names, whole = list(paths), list(paths) if baseline else None
        inside = [name for name, file in paths.items() if file.parent == Path(source, NCBI_FOLDERS[0])]
        if inside and all(map(is_pubmed, inside)):
            # A copy of NCBI's folders; its updates may be last year's still.
            names, whole = [*inside, *updates_after(inside, [name for name in names if name not in inside])], inside
        yield Origin(
            names,
            whole,
            here=paths.__getitem__,
            fetch=paths.__getitem__,
            stop=lambda: None,
        )
        return
    folder = Path(Layout(config.store).sources)
    downloader = Downloader(on_retry=lambda line: log(f"download  {line}"))
    with PubmedMirror(config.ingest.ncbi_url, folder, downloader) as mirror:
        listing = mirror.listing()
        in_baseline = frozenset(listing.baseline)
        yield Origin(
            [*listing.baseline, *listing.updates],
            listing.baseline,
            here=lambda _: None,  # the server's files never change
            fetch=lambda file: mirror.fetch(file, baseline=file in in_baseline),
            stop=mirror.stop,
        )


def find_sources(source: str, cache: Path) -> list[Path]:
    """Return the source files at a path, in the order in which they are to be read.

    Raises:
        InputError: there is no such path, no source file in the folder, or two files of one name.
    """
    path = embedded_folder(source.removeprefix(PREFIX), cache) if source.startswith(PREFIX) else Path(source)
    if not path.exists():
        raise InputError(f"--source {source}: no such file or folder")
    files = [path] if path.is_file() else _files_of(path)
    for file in files:
        source_kind(file.name)
        if (length := len(file.name.encode())) > NAME_BYTES:
            raise InputError(f"--source {source}: {file.name[:40]}… has {length} bytes, {NAME_BYTES} may be; rename it")
    if not files:
        raise InputError(f"--source {source}: the folder holds no files; name one with PubMed XML, Parquet or jsonl")
    names = [source_name(f.name) for f in files]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"--source {source}: several files are called {min(twice)}; keep one of them")
    return sorted(files, key=lambda f: source_order(f.name))


def _files_of(folder: Path) -> list[Path]:
    """Return the source files of a folder, and of the folders of a copy of NCBI's in it; say what is left out."""
    found, others = list[Path](), list[str]()
    for path in [*folder.iterdir(), *(f for name in NCBI_FOLDERS for f in (folder / name).glob("*"))]:
        if path.is_symlink() and not path.exists():
            raise InputError(f"--source {folder}: {path.name} is a link to nothing; mend it, or remove it")
        if path.is_dir() or path.name.startswith(".") or path.suffix == ".md5":
            continue
        if path.name.endswith(tuple(SUFFIXES)):
            found.append(path)
        else:
            others.append(path.name)
    if others:
        log(f"ingest    left out, no source files by their names: {', '.join(sorted(others))}")
    return found


def parse_all(layout: Layout, origin: Origin, files: list[str], lineage: int) -> float:
    """Fetch files with few connections, parse each on the cluster as soon as it is here; return the seconds.

    lineage: the number of that for which they are read.

    One that fails does not keep the others from completing.

    Raises:
        InputError: one of them cannot be used; the others are done.
    """
    connect()
    progress = Progress("ingest", len(files), "files", "records")
    failures: list[str] = []
    with fetching(origin.fetch, files, origin.stop) as finished:
        for file, future in finished:
            try:
                result: Path | ArticlePart = future.result()
            except Exception as error:
                if not isinstance(cause := root_cause(error), PubrayError):
                    raise
                failures.append(str(cause))
                progress.log(f"{file} failed: {cause}")
                continue
            if isinstance(result, Path):  # fetched
                finished.add(file, parse_source.remote(layout, result, lineage).future())
            else:
                progress.add(1, result.ref.rows)
                ref, rejected = result.ref, sum(result.rejects.counts.values())
                progress.log(
                    f"{ref.name}: {ref.rows:,} records, of them {ref.deletions} deletions; {rejected} rejected"
                )
    seconds = progress.finish()
    if failures:
        more = f" (and {len(failures) - 1} more files)" if len(failures) > 1 else ""
        raise InputError(f"{failures[0]}{more}; the other files are done, and no snapshot was made")
    return seconds


@ray.remote(num_cpus=1)
def parse_source(layout: Layout, source: Path, lineage: int) -> ArticlePart:
    """Write the article part of one source file, after a look at the md5 beside it if there is one."""
    # Articles are trees of tuples: a sixth of the time went into looking for cycles, of which there are none.
    gc.disable()
    try:
        md5 = source.with_name(f"{source.name}.md5")
        if md5.exists():
            check_md5(source, md5.read_text())
        rejects, path = Rejects(), layout.article_part(source_name(source.name))
        before = source_file(source)._replace(lineage=lineage)
        with open_source(source, rejects) as batches:
            return write_article_part(path, _unchanged(batches, source, before), before, rejects)
    finally:
        gc.enable()


def _unchanged(batches: Iterator[pa.RecordBatch], source: Path, before: SourceFile) -> Iterator[pa.RecordBatch]:
    """Yield what is read of a file; InputError at the end if it was being written meanwhile."""
    yield from batches
    after = source.stat()
    if (after.st_size, after.st_mtime_ns) != (before.bytes, before.modified):
        raise InputError(f"{source}: was written to while it was read; ingest it again when it is whole")

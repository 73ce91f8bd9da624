"""Source files: where they come from (a folder, or NCBI's server), and the tasks that make article parts of them."""

import gc
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import NamedTuple

import pyarrow as pa
import ray

from actors.fetch.embedded_wheels import embedded_folder
from actors.fetch.mirrored_folder import fetching
from actors.fetch.pubmed_mirror import PubmedMirror
from actors.store.local_store import LocalStore
from actors.store.stores import S3, open_store, store_at
from jobs.common.cluster.joining import connect
from jobs.common.cluster.placement import place
from jobs.common.config import store_root
from jobs.common.console import Progress, log
from jobs.common.run_reports import root_cause
from jobs.steps.ingest.ncbi_guest import NCBI, ncbi_guest
from retrieval.articles.article import ArticlePart, Rejects, write_article_part
from retrieval.files.checked import file_digest
from retrieval.ingest.ncbi import check_md5, updates_after
from retrieval.ingest.readers import open_source
from retrieval.ingest.sources import SUFFIXES, is_pubmed, source_kind, source_name, source_order
from retrieval.operate import memory
from schemas.config import Config
from schemas.encoder import PREFIX
from schemas.errors import AbsentError, InputError, PubrayError
from schemas.layout import SOURCES, Layout
from schemas.snapshot import SourceFile
from schemas.store import Store, Stored

NCBI_FOLDERS = ("baseline", "updatefiles")
"""As their server has them; the first says what a whole baseline is."""

NAME_BYTES = 180
"""Of a source file's name: those of its parts are longer, and a file system takes 255."""


class Origin(NamedTuple):
    """Source files, each of another source name."""

    store: Store
    """Where they are to be read: a folder or a bucket, or our own store, to which they are fetched."""
    files: list[str]
    """Keys of all files, in file order."""
    baseline: list[str] | None
    """Those that are a whole baseline; None where nobody says so."""
    found: Mapping[str, Stored]
    """Those that were there before anything is fetched, and may be others than were read under their names."""
    fetch: Callable[[str], object]
    """Brings a file, whole; threads may call it."""
    stop: Callable[[], None]
    """Makes what is being fetched in other threads end."""


@contextmanager
def open_origin(config: Config, source: str, *, baseline: bool) -> Iterator[Origin]:
    """Open what `--source` names; `baseline`: its files are a baseline.

    Raises:
        InputError: there is no such thing, or it holds no source files.
        UsageError: it is NCBI, and nobody says who asks.
    """
    if source != NCBI:
        store, found = find_sources(config, source)
        keys, whole = list(found), list(found) if baseline else None
        inside = [key for key in keys if key.startswith(f"{NCBI_FOLDERS[0]}/")]
        if inside and all(map(is_pubmed, inside)):
            # A copy of NCBI's folders; its updates may be last year's still.
            keys, whole = [*inside, *updates_after(inside, [key for key in keys if key not in inside])], inside
        yield Origin(store, keys, whole, found, fetch=lambda key: None, stop=lambda: None)
        return
    store = open_store(config)
    guest = ncbi_guest(config.ingest, "--source")
    with PubmedMirror(config.ingest.ncbi_url, store.work(SOURCES), guest, config.ingest.patience) as mirror:
        listing = mirror.listing()
        files = {Layout.source(file): file for file in [*listing.baseline, *listing.updates]}
        in_baseline = frozenset(listing.baseline)

        def fetch(key: str) -> None:
            if store.facts(key) is None:
                store.keep(mirror.fetch(files[key], baseline=files[key] in in_baseline), key)

        # The server's files never change: what was fetched is what there is.
        yield Origin(store, list(files), [*map(Layout.source, listing.baseline)], {}, fetch, mirror.stop)


def find_sources(config: Config, source: str) -> tuple[Store, dict[str, Stored]]:
    """Return where the source files of a path are, and these by their keys, in the order in which they are to be read.

    Raises:
        InputError: there is no such path, no source file in the folder, or two files of one name.
    """
    store, found = _in_bucket(config, source) if source.startswith(S3) else _in_folder(config, source)
    files = _sources_among(found)
    for one in files:
        name = PurePath(one.key).name
        if (length := len(name.encode())) > NAME_BYTES:
            raise InputError(f"--source {source}: {name[:40]}… has {length} bytes, {NAME_BYTES} may be; rename it")
    if not files:
        raise InputError(f"--source {source}: the folder holds no files; name one with PubMed XML, Parquet or jsonl")
    names = [source_name(one.key) for one in files]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"--source {source}: several files are called {min(twice)}; keep one of them")
    return store, {one.key: one for one in sorted(files, key=lambda one: source_order(one.key))}


def _in_bucket(config: Config, source: str) -> tuple[Store, list[Stored]]:
    """Return what lies below a prefix, or at it."""
    whole = store_at(store_root(source), config)
    if found := list(whole.entries("")):
        return whole, found
    folder, _, name = whole.root.rpartition("/")
    if folder.startswith(S3) and (file := store_at(folder, config).facts(name)):
        source_kind(name)
        return store_at(folder, config), [file]
    raise InputError(f"--source {source}: no such object or prefix")


def _in_folder(config: Config, source: str) -> tuple[Store, list[Stored]]:
    """Return what lies in a folder, or the one file."""
    cache = Path(config.cache)
    path = embedded_folder(source.removeprefix(PREFIX), cache) if source.startswith(PREFIX) else Path(source)
    if not path.exists():
        raise InputError(f"--source {source}: no such file or folder")
    if path.is_file():
        source_kind(path.name)
        store = LocalStore(str(path.parent))
        return store, [file] if (file := store.facts(path.name)) else []
    _check_links(path)
    store = LocalStore(str(path))
    return store, list(store.entries(""))


def _check_links(folder: Path) -> None:
    for path in [*folder.glob("*"), *(f for name in NCBI_FOLDERS for f in (folder / name).glob("*"))]:
        if path.is_symlink() and not path.exists():
            raise InputError(f"--source {folder}: {path.name} is a link to nothing; mend it, or remove it")


def _sources_among(found: list[Stored]) -> list[Stored]:
    """Return the source files that lie in a folder, or in those of a copy of NCBI's in it; say what is left out."""
    files, others = list[Stored](), list[str]()
    for one in found:
        folder, _, name = one.key.rpartition("/")
        if folder in ("", *NCBI_FOLDERS) and not name.endswith(".md5"):
            if name.endswith(tuple(SUFFIXES)):
                files.append(one)
            else:
                others.append(name)
    if others:
        log(f"ingest    left out, no source files by their names: {', '.join(sorted(others))}")
    return files


class Parsed(NamedTuple):
    """What became of source files that had no article part."""

    seconds: float = 0.0
    waited_for: tuple[str, ...] = ()
    """Names of update files that are not whole where they come from; the others have their parts."""


def parse_all(config: Config, origin: Origin, files: list[str], lineage: int) -> Parsed:
    """Fetch files with few connections, parse each on the cluster as soon as it is here.

    lineage: the number of that for which they are read.

    One that fails does not keep the others from completing, and an update that is not whole yet is done without.

    Raises:
        InputError: one of them cannot be used; the others are done.
    """
    store = open_store(config)
    connect(config)
    placed = parse_source.options(**place(config.placement, "ingest", memory.of_parser()))
    progress = Progress("ingest", len(files), "files", "records")
    failures, waited_for = list[str](), list[str]()
    with fetching(origin.fetch, files, origin.stop) as finished:
        for file, future in finished:
            try:
                result: ArticlePart | None = future.result()
            except Exception as error:
                if not isinstance(cause := root_cause(error), PubrayError):
                    raise
                if isinstance(cause, AbsentError) and file not in (origin.baseline or ()):
                    waited_for.append(source_name(file))
                    progress.log(f"goes on without {waited_for[-1]}, which the next run asks for again: {cause}")
                    continue
                failures.append(str(cause))
                progress.log(f"{PurePath(file).name} failed: {cause}")
                continue
            if result is None:  # fetched
                finished.add(file, placed.remote(store, origin.store, file, lineage).future())
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
    return Parsed(seconds, tuple(sorted(waited_for, key=source_order)))


@ray.remote
def parse_source(store: Store, sources: Store, key: str, lineage: int) -> ArticlePart:
    """Write the article part of one source file, after a look at the md5 beside it if there is one."""
    # Articles are trees of tuples: a sixth of the time went into looking for cycles, of which there are none.
    gc.disable()
    try:
        before, path, name = sources.facts(key), sources.local(key), source_name(key)
        if before is None:
            raise InputError(
                f"{sources.name(key)}: not seen on node {socket.gethostname()}; run pubray ingest again, from a bucket "
                "if only some nodes see that folder"
            )
        if (md5 := sources.read(f"{key}.md5")) is not None:
            check_md5(path, md5.decode(errors="replace"))
        rejects = Rejects()
        facts = SourceFile(before.bytes, before.modified, file_digest(path).sha256, lineage)
        with (
            open_source(path, rejects) as batches,
            store.incoming(Layout.article_part(name)) as part,
        ):
            return write_article_part(part, name, _unchanged(batches, sources, before), facts, rejects)
    finally:
        gc.enable()


def _unchanged(batches: Iterator[pa.RecordBatch], sources: Store, before: Stored) -> Iterator[pa.RecordBatch]:
    """Yield what is read of a file; InputError at the end if it was being written meanwhile."""
    yield from batches
    if sources.facts(before.key) != before:
        name = sources.name(before.key)
        raise InputError(f"{name}: was written to while it was read; ingest it again when it is whole")

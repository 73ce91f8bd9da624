"""Where source files come from: a folder, or NCBI's server by way of a folder of the store."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from actors.fetch.downloader import Downloader
from actors.fetch.embedded_wheels import embedded_folder
from actors.fetch.pubmed_mirror import PubmedMirror
from jobs.common.console import log
from retrieval.ingest.sources import source_kind, source_name, source_order
from schemas.config import Config
from schemas.encoder import PREFIX
from schemas.errors import InputError
from schemas.layout import Layout

NCBI = "ncbi"
"""As a source: what their server has."""


class Origin(Protocol):
    """Source files, each of another source name."""

    files: list[str]
    """Names of all files, in file order."""
    baseline: list[str] | None
    """Those that are a whole baseline; None where nobody says so."""

    def size(self, file: str) -> int | None:
        """Return the bytes of a file, if they are known before it is fetched."""

    def fetch(self, file: str) -> Path:
        """Return where a file lies, whole; threads may call it."""

    def stop(self) -> None:
        """Make what is being fetched in other threads end."""


@contextmanager
def open_origin(config: Config, source: str, *, baseline: bool) -> Iterator[Origin]:
    """Open what `--source` names; `baseline`: its files are a baseline.

    Raises:
        InputError: there is no such thing, or it holds no source files.
    """
    if source != NCBI:
        yield _Folder(source, Path(config.cache), baseline=baseline)
        return
    folder = Path(Layout(config.store).sources)
    downloader = Downloader(on_retry=lambda line: log(f"download  {line}"))
    with PubmedMirror(config.ingest.ncbi_url, folder, downloader) as mirror:
        yield _Ncbi(mirror)


class _Folder:
    """Files that are here already."""

    def __init__(self, source: str, cache: Path, *, baseline: bool) -> None:
        self._paths = {path.name: path for path in find_sources(source, cache)}
        self.files = list(self._paths)
        self.baseline = self.files if baseline else None

    def size(self, file: str) -> int | None:
        return self._paths[file].stat().st_size

    def fetch(self, file: str) -> Path:
        return self._paths[file]

    def stop(self) -> None:
        """Nothing is fetched."""


class _Ncbi:
    """Files of NCBI's server."""

    def __init__(self, mirror: PubmedMirror) -> None:
        self._mirror = mirror
        listing = mirror.listing()
        self.baseline: list[str] | None = listing.baseline
        self.files = [*listing.baseline, *listing.updates]
        self._in_baseline = frozenset(listing.baseline)

    def size(self, file: str) -> int | None:
        return None  # the server's files never change

    def fetch(self, file: str) -> Path:
        return self._mirror.fetch(file, baseline=file in self._in_baseline)

    def stop(self) -> None:
        self._mirror.stop()


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

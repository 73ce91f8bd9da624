"""Source files by their names: of what kind a file is, which comes first, how its article part is called."""

import re
import zlib
from collections.abc import Callable
from gzip import BadGzipFile
from pathlib import PurePath
from typing import cast

from isal import isal_zlib

from schemas.errors import InputError
from schemas.snapshot import SourceFile
from schemas.store import Stored

SUFFIXES = {
    ".xml": "pubmed",
    ".xml.gz": "pubmed",
    ".parquet": "parquet",
    ".jsonl": "beir",
    ".jsonl.gz": "beir",
}
_PUBMED_NAME = re.compile(r"pubmed(\d\d)n(\d+)(?:\.xml(?:\.gz)?)?")

# isal declares its error class as if it were an instance.
BROKEN_GZIP = (EOFError, zlib.error, BadGzipFile, cast("type[Exception]", isal_zlib.error))
"""What reading a source file raises that is not whole gzip."""


def source_kind(path: str) -> str:
    """Tell by its name how a source file is read: pubmed, parquet, beir; InputError for a name that says nothing."""
    return SUFFIXES[_suffix(path)]


def source_name(path: str) -> str:
    """Return the file's name without folder and extension, which names its article part: `pubmed20n0014`."""
    return PurePath(path).name.removesuffix(_suffix(path))


def plain_name(file: str) -> str:
    """Return the source name of a file that a person names by it, or by its own name or path."""
    name = PurePath(file).name
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


def source_order(path: str) -> tuple[int, int, int, str]:
    """Return the sort key of a source file or source name: PubMed's by (yy, number), then others in natural order.

    Numbers count on from the baseline into the updates, so this is the order in which NCBI wants them read. In names
    of another kind numbers count as such: night-9 comes before night-10.
    """
    name = PurePath(path).name
    if match := _PUBMED_NAME.fullmatch(name):
        return 0, int(match[1]), int(match[2]), name
    return 1, 0, 0, re.sub(r"\d+", lambda digits: digits[0].zfill(20), name)


def is_pubmed(name: str) -> bool:
    """Return whether a source file or source name is one of PubMed's, with year and number."""
    return source_order(name)[0] == 0


def other_content(found: Stored, before: SourceFile, sha256: Callable[[], str]) -> str | None:
    """Return what of a file is other than it was, None if nothing is; asks for its sha256 only if it was written since.

    The time of a file that was copied may be another, so that time alone says nothing.
    """
    if found.bytes != before.bytes:
        return f"{found.bytes:,} bytes and not {before.bytes:,}, so other content"
    if before.sha256 and found.modified != before.modified and sha256() != before.sha256:
        return "as many bytes, but other content"
    return None


def _suffix(path: str) -> str:
    name = PurePath(path).name
    for suffix in SUFFIXES:
        if name.endswith(suffix) and name != suffix:
            return suffix
    raise InputError(f"{name} is no source file by its name; give one that ends in {', '.join(SUFFIXES)}")

"""NCBI's chunks of embeddings by their file names, and the index of a chunk: where in it is the vector of a PMID.

They come in chunks: vectors, the PMIDs of their rows, and the texts that they are of
(https://ftp.ncbi.nlm.nih.gov/pub/lu/MedCPT/pubmed_embeddings/README.txt).

An index is made once, from the list of PMIDs and the texts if they are there, and then mapped: 24 bytes an article,
0.9 GB for all of PubMed. The texts (1.4 GB a chunk) are streamed, at some 34 MB/s a core, most of it the normal form;
memory is some 80 bytes an article of one chunk. Its name holds size and time of its sources, so other sources make
another index.

Files that are not what NCBI's chunks are raise InputError; chunks and indices that are not whole, IntegrityError.
"""

import json
import re
from array import array
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple, Self

import ijson
import numpy as np
from numpy.typing import NDArray

from retrieval.articles.normal_text import text_digest
from retrieval.articles.pmids import find_among
from retrieval.files.atomic import atomic_path
from retrieval.files.mapped import map_array
from retrieval.ingest.ncbi import listed
from schemas.arrays import Pmids
from schemas.base import digest
from schemas.errors import InputError, IntegrityError

CHUNK_PMIDS = 1_000_000
"""Chunk i holds PMIDs from i times this number on."""

_NAMES = r"embeds_chunk_\d+\.npy|pmids_chunk_\d+\.json|pubmed_chunk_\d+\.json"
_VECTORS = re.compile(r"embeds_chunk_(\d+)\.npy")

PMID, ROW, DIGEST = 0, 1, 2
"""The rows of an index: PMIDs, ascending; rows of the vectors; digests of the texts, as int64."""
FORM = 1
"""To be counted up with every change of the normal form."""
_AGAIN = "remove it and fetch it again"


class ChunkFiles(NamedTuple):
    """The files of one chunk."""

    number: int
    vectors: Path
    pmids: Path
    texts: Path

    @classmethod
    def of(cls, folder: Path, number: int) -> Self:
        """Return where they lie in a folder; the texts need not be there."""
        vectors, pmids, texts = chunk_names(number)
        return cls(number, folder / vectors, folder / pmids, folder / texts)


def chunk_names(number: int) -> tuple[str, str, str]:
    """Return the names of vectors, PMIDs and texts."""
    return f"embeds_chunk_{number}.npy", f"pmids_chunk_{number}.json", f"pubmed_chunk_{number}.json"


def chunk_numbers(names: Collection[str], where: str) -> list[int]:
    """Return the numbers of the chunks among file names, ascending.

    where: of what these are the names, for messages.

    Raises:
        InputError: there are none, or one without its PMIDs.
    """
    numbers = sorted(int(match[1]) for name in names if (match := _VECTORS.fullmatch(name)))
    if not numbers:
        raise InputError(f"{where}: no embeds_chunk_<i>.npy; name what holds NCBI's chunks of embeddings")
    for number in numbers:
        if (pmids := chunk_names(number)[1]) not in names:
            raise InputError(f"{where}: embeds_chunk_{number}.npy without {pmids}; fetch both")
    return numbers


def listed_chunk_files(html: str) -> set[str]:
    """Return the names of chunk files that a folder's page links to (see `listed`)."""
    return listed(html, _NAMES)


def open_index(chunk: ChunkFiles, folder: Path) -> NDArray[np.int64]:
    """Return the index (3, n) of a chunk, mapped; it is made and kept in `folder` if it is not there.

    Without texts all digests are 0; with them, those of PMIDs that have none.
    """
    path = folder / f"chunk_{chunk.number}-{_sources(chunk)}.npy"
    if not path.exists():
        index = _make_index(chunk)
        with atomic_path(str(path)) as temporary, temporary.open("wb") as file:
            np.save(file, index)
    mapped = map_array(path, "remove it and run the job again")
    if mapped.dtype != np.int64 or mapped.ndim != 2 or len(mapped) != 3:
        raise IntegrityError(f"{path}: not an index of a chunk; remove it and run the job again")
    return mapped


def _sources(chunk: ChunkFiles) -> str:
    files = [path.stat() for path in (chunk.pmids, chunk.texts) if path.exists()]
    return digest([FORM, *([file.st_size, file.st_mtime_ns] for file in files)])


def _make_index(chunk: ChunkFiles) -> NDArray[np.int64]:
    listed = read_pmids(chunk.pmids, chunk.number)
    rows = np.argsort(listed)
    index = np.stack([listed[rows], rows, np.zeros_like(rows)])
    if len(twice := index[PMID][:-1][np.diff(index[PMID]) == 0]):
        raise InputError(f"{chunk.pmids}: PMID {twice[0]} is there twice, with two vectors; {_AGAIN}")
    if chunk.texts.exists():
        pmids, digests = read_digests(chunk.texts)
        found, at = find_among(index[PMID], pmids)
        index[DIGEST][at] = digests[found].view(np.int64)
    return index


def read_pmids(path: Path, number: int) -> Pmids:
    """Return the PMIDs (n,) of a chunk's rows, n > 0: a JSON list of strings or numbers."""
    try:
        values = json.loads(path.read_bytes())
    except ValueError as error:
        raise IntegrityError(f"{path}: not whole JSON ({error}); {_AGAIN}") from None
    if not isinstance(values, list) or not values:
        raise InputError(f"{path}: not a list of PMIDs; {_AGAIN}")
    low, high = number * CHUNK_PMIDS, (number + 1) * CHUNK_PMIDS
    pmids = np.empty(len(values), np.int64)
    for row, value in enumerate(values):
        pmids[row] = pmid = _pmid(value)
        if not low <= pmid < high:
            raise InputError(f"{path}: {value!r} is no PMID from {low} to {high - 1}, those of its chunk; {_AGAIN}")
    return pmids


def read_digests(path: Path) -> tuple[Pmids, NDArray[np.uint64]]:
    """Return PMIDs (n,) and digests (n,) of the texts of a chunk, a JSON object {pmid: {"t": title, "a": abstract}}."""
    pmids, digests = array("q"), array("Q")
    try:
        with path.open("rb") as stream:
            for key, record in ijson.kvitems(stream, ""):
                pmids.append(_pmid(key))
                digests.append(_digest(key, record, path))
    except (ijson.JSONError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise IntegrityError(f"{path}: not whole JSON ({reason}), after record {len(pmids):,}; {_AGAIN}") from None
    if not pmids:
        raise InputError(f"{path}: no records {{pmid: {{title, abstract}}}}; {_AGAIN}")
    return np.array(pmids, np.int64), np.array(digests, np.uint64)


def _digest(key: str, record: object, path: Path) -> int:
    match record:
        case {"t": str() | None as title, "a": str() | None as abstract}:
            return text_digest(title or "", abstract or "")
    raise InputError(f"{path}: record {key!r} has no title (t) and abstract (a) of text; {_AGAIN}")


def _pmid(value: object) -> int:
    """Return the number that a string or number is; -1 if it is none that a PMID could be."""
    text = str(value)
    return int(text) if len(text) < 19 and text.isascii() and text.isdecimal() else -1

"""The embeddings of PubMed that NCBI publishes with MedCPT, by their file names.

They come in chunks: vectors, the PMIDs of their rows, and the texts that they are of
(https://ftp.ncbi.nlm.nih.gov/pub/lu/MedCPT/pubmed_embeddings/README.txt).
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple, Self

from retrieval.ingest.ncbi import listed
from schemas.errors import InputError

CHUNK_PMIDS = 1_000_000
"""Chunk i holds PMIDs from i times this number on."""

_NAMES = r"embeds_chunk_\d+\.npy|pmids_chunk_\d+\.json|pubmed_chunk_\d+\.json"
_VECTORS = re.compile(r"embeds_chunk_(\d+)\.npy")


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
    """Return the names of chunk files that a folder's page links to.

    Raises:
        InputError: the page breaks off before the end of its list, or is no listing.
    """
    return listed(html, _NAMES)

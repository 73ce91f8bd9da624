"""Published embeddings as known vectors: NCBI's chunks for MedCPT, mapped, and of them only the rows wanted are read.

Where a chunk's texts are at hand, an article whose text is another by now is stale and gets no vector.
Errors are those of `chunk_index`.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retrieval.articles.normal_text import text_digest
from retrieval.articles.pmids import find_among
from retrieval.embed.known.chunk_index import CHUNK_PMIDS, DIGEST, PMID, ROW, ChunkFiles, chunk_numbers, open_index
from retrieval.embed.known.known_vectors import Known, KnownCounts
from retrieval.files.mapped import map_array
from schemas.arrays import Floats, Pmids, RowNumbers, Rows
from schemas.errors import InputError, IntegrityError


class PublishedChunks:
    """A folder of chunks. Nothing is held but the articles asked for and their vectors: chunks are mapped."""

    def __init__(self, folder: Path, index_folder: Path, dimension: int) -> None:
        """index_folder: where the indices of the chunks are kept, made when first wanted; see `prepare`.

        Raises:
            InputError: there are no chunks, or one lacks its PMIDs.
        """
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; name one that holds NCBI's chunks of embeddings")
        self.numbers = chunk_numbers({path.name for path in folder.iterdir()}, str(folder))
        self._folder, self._index_folder, self._dimension = folder, index_folder, dimension

    def find(self, articles: pa.Table) -> Known:
        """Return the vectors of articles (columns pmid, title, abstract), in their order.

        InputError for a vector that is beyond float16.
        """
        pmids = articles["pmid"].to_numpy()
        chunks = pmids // CHUNK_PMIDS
        found = [
            self._find_in(number, np.flatnonzero(chunks == number), articles)
            for number in np.intersect1d(chunks, self.numbers).tolist()
        ]
        rows = np.concatenate([np.empty(0, np.intp), *(known.rows for known in found)])
        vectors = np.concatenate([np.empty((0, self._dimension), np.float16), *(known.vectors for known in found)])
        verified, unverified, stale = (sum(known.counts[i] for known in found) for i in range(3))
        counts = KnownCounts(verified, unverified, stale, len(pmids) - verified - unverified - stale)
        order = np.argsort(rows)
        return Known(rows[order], vectors[order], counts)

    def _find_in(self, number: int, asked: NDArray[np.intp], articles: pa.Table) -> Known:
        chunk, index, vectors = self.prepare(number)
        found, at = find_among(index[PMID], articles["pmid"].to_numpy()[asked])
        rows = asked[found]
        counts = KnownCounts(unverified=len(rows))
        if chunk.texts.exists():
            fresh = index[DIGEST][at] == _digests(articles.take(pa.array(rows)))
            rows, at = rows[fresh], at[fresh]
            counts = KnownCounts(verified=len(rows), stale=len(fresh) - len(rows))
        return Known(rows, _read(chunk.vectors, vectors, index[ROW][at], index[PMID][at]), counts)

    def prepare(self, number: int) -> tuple[ChunkFiles, NDArray[np.int64], Floats]:
        """Check the files of a chunk and make its index if there is none: minutes where it has texts, else a second.

        `find` does so too, but several processes would do the same work at once. Return the files, the index and the
        vectors, mapped.
        """
        chunk = ChunkFiles.of(self._folder, number)
        index = open_index(chunk, self._index_folder)
        vectors = open_vectors(chunk.vectors, self._dimension)
        if len(vectors) != index.shape[1]:
            raise IntegrityError(
                f"{chunk.vectors}: {len(vectors):,} vectors, but {chunk.pmids.name} lists {index.shape[1]:,} PMIDs; "
                "remove both and fetch them again"
            )
        return chunk, index, vectors


def open_vectors(path: Path, dimension: int) -> Floats:
    """Return the vectors (n, dimension) of a .npy file, mapped: float32, little-endian, row by row.

    InputError for another dimension, type or order.
    """
    vectors = map_array(path, "remove it and fetch it again")
    found = f"{vectors.dtype.str} {vectors.shape}{'' if vectors.flags.c_contiguous else ' column by column'}"
    if vectors.dtype.str != "<f4" or vectors.shape[1:] != (dimension,) or not vectors.flags.c_contiguous:
        raise InputError(f"{path}: {found}, the encoder's vectors are <f4 (…, {dimension}); give those of this encoder")
    return vectors


def _read(path: Path, vectors: Floats, rows: RowNumbers, pmids: Pmids) -> Rows:
    """Return some rows (len(rows), d) of a mapped file, which is read in its own order."""
    order = np.argsort(rows)
    read = np.empty((len(rows), vectors.shape[1]), np.float16)
    with np.errstate(over="ignore"):
        read[order] = vectors[rows[order]]
    bad = np.flatnonzero(~np.isfinite(read).all(axis=1))
    if len(bad):
        raise InputError(f"{path}: the vector of article {pmids[bad[0]]} is beyond float16; it cannot be imported")
    return read


def _digests(articles: pa.Table) -> NDArray[np.int64]:
    """Return the digests (n,) of the articles' texts, as an index has them."""
    texts = zip(articles["title"].to_pylist(), articles["abstract"].to_pylist(), strict=True)
    return np.fromiter((text_digest(*text) for text in texts), np.uint64, len(articles)).view(np.int64)

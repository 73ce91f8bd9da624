"""Vector parts: the Arrow schema of the vectors for one range of rows of one article part, in its row order."""

from typing import NamedTuple, Self

import pyarrow as pa

from schemas.base import Frozen


def vector_schema(dimension: int) -> pa.Schema:
    """Return (pmid, text_hash, vector float16[dimension]); the vector is null where the row is not to be indexed."""
    return pa.schema(
        [
            pa.field("pmid", pa.int64(), nullable=False),
            pa.field("text_hash", pa.uint64(), nullable=False),
            pa.field("vector", pa.list_(pa.float16(), dimension)),
        ]
    )


class RowRange(Frozen):
    """Rows [start, stop) of one article part: the unit of embedding work, and of its resume."""

    source: str
    """Name of the source file, and so of its article part."""
    start: int
    stop: int
    history: str
    """Digest of the article parts from the first to this one: what decides whether its rows can be alive."""

    @property
    def name(self) -> str:
        """`pubmed26n0001-0-8192-1f0c…`, the file name of its vector part.

        Ranges of another size are other files, and so are those behind an article part that came late.
        """
        return f"{self.source}-{self.start}-{self.stop}-{self.history}"


class EmbedPlan(NamedTuple):
    """Which articles have a vector and where it is, or goes; and which vectors there are already."""

    snapshot: str
    selection: str
    fingerprint: str
    earlier: str | None = None
    """A snapshot whose every vector part is there."""
    published: str | None = None
    """A folder of NCBI's published embeddings."""


class EmbedCounts(Frozen):
    """What was done for one range; those of many are added up."""

    rows: int = 0
    """encoded + copied + imported + rows that get no vector."""
    encoded: int = 0
    copied: int = 0
    """Vectors of the earlier snapshot, of articles whose text is the same."""
    imported: int = 0
    """Published vectors."""
    unverified: int = 0
    """Of the imported ones, those whose text is not at hand."""
    stale: int = 0
    """Published vectors that are of another text by now, so the articles were encoded."""
    unpublished: int = 0
    """Articles that were looked for and not found among the published vectors."""
    without_title: int = 0
    without_abstract: int = 0
    cut: int = 0
    """Encoded articles that are longer than the encoder takes."""
    encoders: int = 0
    """That began to encode."""
    probed: int = 0
    """Articles that encoders encoded once more before their first range …"""
    probe_cosine: float = 0
    """… and for each the median cosine of such vectors with those that were there."""
    tokens: int = 0
    padded_tokens: int = 0
    """What the engine computed: tokens, and what fills their batches up."""
    flops: float = 0
    """What the tokens need, padding left out; 0 for a kind of model whose shapes are not known."""
    peak_flops: float = 0
    """What matrix products of the same number format would have done in `encode_seconds`."""
    read_seconds: float = 0
    """Reading, looking for known vectors, and tokenising; as all seconds, added up over the workers."""
    wait_seconds: float = 0
    """Encoders had nothing to do, after their first range."""
    encode_seconds: float = 0
    write_seconds: float = 0
    bytes: int = 0
    """Of the vector parts."""

    def __add__(self, other: Self) -> Self:
        mine, theirs = self.model_dump(), other.model_dump()
        return self.model_copy(update={name: mine[name] + theirs[name] for name in mine})

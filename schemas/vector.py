"""Vector parts: the Arrow schema of the vectors for one range of rows of one article part, in its row order."""

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

    @property
    def name(self) -> str:
        """`pubmed26n0001-0-8192`, the file name of its vector part: ranges of another size are other files."""
        return f"{self.source}-{self.start}-{self.stop}"

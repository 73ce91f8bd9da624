"""Training pairs: a query and an article that answers it. Texts of articles are not in them, but their PMIDs."""

from typing import Any, Literal, NamedTuple

import pyarrow as pa

from schemas.base import Frozen

OwnSignal = Literal["title", "result", "conclusion", "section", "mesh", "keywords", "topics", "comment"]
Signal = Literal[OwnSignal, "file"]
"""What says that they belong together; of PubMed's own records, or of a file that somebody gave."""
Split = Literal["train", "held-out"]


class Span(NamedTuple):
    """Characters [start, stop) of an article's title, a line feed, and its abstract."""

    start: int
    stop: int


class Pair(NamedTuple):
    """One row of a set of pairs."""

    query_id: str
    """Pairs of one query share it."""
    query: str
    pmid: int
    """Of the positive."""
    signal: Signal
    split: Split
    drop: Span = Span(0, 0)
    """What is left out of the positive's text, because the query is made of it."""
    instruction: str | None = None
    """What the query asks for, where it is not the query tower's own task."""
    weight: float = 1.0
    near: tuple[int, ...] = ()
    """The articles that the encoder ranks highest for the query, best first."""
    negatives: tuple[int, ...] = ()
    """Articles further down, which do not answer it."""
    scores: tuple[float, ...] = ()
    """A teacher's of the positive, and of each negative."""


PAIR_SCHEMA = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("query", pa.string(), nullable=False),
        pa.field("pmid", pa.int64(), nullable=False),
        pa.field("signal", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("drop", pa.struct([("start", pa.int32()), ("stop", pa.int32())]), nullable=False),
        pa.field("instruction", pa.string()),
        pa.field("weight", pa.float32(), nullable=False),
        pa.field("near", pa.list_(pa.int64()), nullable=False),
        pa.field("negatives", pa.list_(pa.int64()), nullable=False),
        pa.field("scores", pa.list_(pa.float32()), nullable=False),
    ]
)


class PairSet(Frozen):
    """What a set of pairs was made from, and what is in it."""

    snapshot: str
    """Where the texts of its articles are."""
    version: str | None
    """That was ranked by for what is near and for negatives; None: there are none."""
    inputs: dict[str, Any]
    """All else: the rules by which it was made."""
    counts: dict[str, dict[Split, int]]
    """Pairs by signal and side."""

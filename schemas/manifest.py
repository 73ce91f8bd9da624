"""What an index is made of: the JSON documents beside the binary files, written last."""

from pydantic import Field

from schemas.base import Frozen
from schemas.encoder import EncoderSpec, TowerDigests


class FileDigest(Frozen):
    """What a file of a segment must look like."""

    bytes: int
    sha256: str
    head: str
    """sha256 of the first 64 KiB: checked at every open, where the whole would take minutes."""


class Segment(Frozen):
    """One segment (or worker shard) of one shard: the lists and rows of some articles, in (list, pmid) order."""

    id: str
    shard: int
    rows: int
    dimension: int
    nlist: int
    code_size: int
    files: dict[str, FileDigest]


class Recall(Frozen):
    """How often the index returns what an exact search over the same rows returns."""

    queries: int
    at_10: float
    at_100: float


class IndexVersion(Frozen):
    """An immutable, complete index: all that a searcher needs to know to open it."""

    id: str
    created: str
    """UTC, ISO 8601."""
    parent: str | None
    """The version that was CURRENT when this one was built."""
    snapshot: str
    selection: str
    encoder: EncoderSpec
    fingerprint: str
    """Of the article space: which vector parts it was built from."""
    query_tower: TowerDigests
    quantizer: str
    metric: str
    nprobe: int
    candidates: int
    segments: tuple[Segment, ...]
    articles: int
    recall: Recall


class QuantizerRecord(Frozen):
    """How a quantizer was trained; found by the digest of these inputs, so that a rerun trains nothing twice."""

    sha256: str
    factory: str
    metric: str
    spherical: bool
    seed: int
    trained_on: int


class Current(Frozen):
    """The one mutable document: which version is served, and what was before it."""

    version: str
    epoch: int = 1
    """Grows by one with each change."""
    history: tuple[str, ...] = Field(default=())
    """The versions served before, oldest first."""
    withdrawn: tuple[str, ...] = Field(default=())
    """Versions rolled back from: promoted again only by name."""

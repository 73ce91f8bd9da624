"""What an index is made of: the JSON documents beside the binary files, written last."""

from collections.abc import Container

from pydantic import Field

from schemas.base import Frozen, digest
from schemas.canary import CanaryAnswer
from schemas.encoder import EncoderSpec, TowerDigests


class FileDigest(Frozen):
    """What a file of a segment or a model must look like."""

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
    format: int = 1
    """Which files and columns there are (see `schemas.formats`); segments older than the field are of the first."""
    files: dict[str, FileDigest]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files.values())


class StoredModel(Frozen):
    """A model that is an object of the store."""

    files: dict[str, FileDigest]

    @property
    def digest(self) -> str:
        """What it is called in the store: it changes exactly when a file does."""
        return digest({name: file.sha256 for name, file in self.files.items()})


class Tombstones(Frozen):
    """Rows of one segment that are replaced or removed in a version."""

    sha256: str
    rows: int


class Recall(Frozen, allow_inf_nan=False):
    """How often the index returns what an exact search over the same rows returns."""

    queries: int
    at_10: float
    at_100: float


class Checks(Frozen, allow_inf_nan=False):
    """What was found out about a version before it was committed."""

    recall: Recall
    truth: str
    """sha256 of the exact answers that recall was measured against."""
    imbalance: float
    """Of the lists: how much longer a scan takes than with lists of equal length (FAISS's imbalance factor)."""
    dead_share: float
    """Of all rows, those that are tombstones."""
    removed_share: float
    """Of the parent's articles, those that this version lacks."""
    canaries: tuple[CanaryAnswer, ...] = Field(default=())
    canary_change: float | None = None
    """Share of the parent's answers that are others, though their articles are not."""
    rejected_share: float | None = None
    """Of the records of the source files that came since the parent; None: none came."""
    encoded_share: float | None = None
    """Of the articles, those with a new text since the parent, per source file that came; None: none came."""
    usual_shares: tuple[float, ...] = Field(default=())
    """`encoded_share` of the versions before, oldest first."""


class Gate(Frozen, allow_inf_nan=False):
    """A figure of a version, and its limit by the configuration; a night serves what has passed all."""

    name: str
    value: float
    limit: float
    passed: bool
    why: str | None = None
    """Of one that was not passed: the fact, and what to do."""


UNCHECKED = Checks(recall=Recall(queries=0, at_10=0, at_100=0), truth="", imbalance=0, dead_share=0, removed_share=0)
"""Of a version that is being made."""


class Population(Frozen):
    """A set of articles, in whatever order and place: how many, and 64 bits over their PMIDs in hex."""

    articles: int = 0
    digest: str = "0" * 16
    """The sum of the PMIDs' mixed bits (see `retrieval.articles.pmids.population`)."""

    def __add__(self, other: "Population") -> "Population":
        """Return that of both together, which have no article in common."""
        return self._with(other, 1)

    def __sub__(self, other: "Population") -> "Population":
        """Return what is left without the other, whose articles are all in this one."""
        return self._with(other, -1)

    def _with(self, other: "Population", sign: int) -> "Population":
        bits = (int(self.digest, 16) + sign * int(other.digest, 16)) % 2**64
        return Population(articles=self.articles + sign * other.articles, digest=f"{bits:016x}")


class IndexVersion(Frozen):
    """An immutable, complete index: all that a searcher needs to know to open it."""

    id: str
    sequence: int = 0
    """Counts the versions of a store, whatever its clocks said: the highest is the newest. 0 of all that are older
    than this field."""
    created: str
    """UTC, ISO 8601."""
    parent: str | None
    """The version that was CURRENT when this one was built."""
    recipe: str
    """Digest of what the versions that build on one another share: article space, selection, type of index."""
    rules: str
    """Digest of how it is searched: query tower, lists probed, candidates."""
    snapshot: str
    selection: str
    encoder: EncoderSpec
    fingerprint: str
    """Of the article space: which vector parts it was built from."""
    query_tower: TowerDigests
    models: dict[str, str] = Field(default={})
    """What it was built with and is to be served with, where the store has it: `StoredModel.digest` by the names of the
    configuration. Versions older than the field say nothing."""
    quantizer: str
    metric: str
    nprobe: int
    candidates: int
    segments: tuple[Segment, ...]
    """Oldest first; of each shard the first is its base, the others are deltas."""
    tombstones: dict[str, Tombstones] = Field(default={})
    """By id of the segment; those that have none are left out."""
    articles: int
    """Live rows."""
    missing_updates: int = 0
    """Update files of PubMed that were missing in its snapshot."""
    population: Population | None = None
    """Which articles must be live, known from their article parts; None of versions older than this field."""
    mesh_tree: str | None = None
    """sha256 of the MeSH tree that `mesh` is searched by; None: headings are found as they are."""
    checks: Checks

    @property
    def rows(self) -> int:
        """Of all segments, dead ones too."""
        return sum(segment.rows for segment in self.segments)

    @property
    def rows_key(self) -> str:
        """Names what it holds, whatever it was built on and however it is searched."""
        return f"{self.recipe}/{self.snapshot}"

    @property
    def dead_rows(self) -> int:
        return sum(tombstones.rows for tombstones in self.tombstones.values())

    @property
    def bytes(self) -> int:
        return sum(segment.bytes for segment in self.segments)


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

    version: str | None
    """None: of a store of which somebody has begun to build the first."""
    epoch: int = 1
    """Grows by one with each change."""
    writer: str | None = None
    """In S3 the run that may change it as part of its work: the last that took the lease."""
    history: tuple[str, ...] = Field(default=())
    """The versions served before, oldest first."""
    withdrawn: tuple[str, ...] = Field(default=())
    """Versions rolled back from: promoted again only by name."""

    withdrawn_rows: tuple[str, ...] = Field(default=())
    """`IndexVersion.rows_key` of those: what holds the same rows, by other rules or on another version, is not promoted
    by a night either."""
    removing: tuple[str, ...] = Field(default=())
    """Versions whose files `gc` is removing, or was when it was stopped: their manifests go last, and nobody serves or
    builds on them."""

    def knows(self, version: str) -> bool:
        """Return whether a version is served, was served, or is withdrawn."""
        return version in (self.version, *self.history, *self.withdrawn)

    def removes(self, versions: tuple[str, ...]) -> "Current":
        """Return what comes next where these versions are being removed."""
        return self.model_copy(update={"removing": versions, "epoch": self.epoch + 1})

    def removes_no_more(self, gone: Container[str]) -> "Current":
        """Return what comes next where some of what was being removed are gone, or made anew; the same if none was."""
        left = tuple(version for version in self.removing if version not in gone)
        return self if left == self.removing else self.removes(left)

    def serves_as(self, other: "Current") -> bool:
        """Return whether nothing but who writes, and what `gc` does, has changed since another."""
        alike = {"epoch": other.epoch, "writer": other.writer, "removing": other.removing}
        return self.model_copy(update=alike) == other

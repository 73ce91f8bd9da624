"""Every path of the store, and nothing else: docs/store.md tells what each holds."""

from dataclasses import dataclass
from typing import Literal

FileKind = Literal[
    "versions",
    "segments",
    "tombstones",
    "truths",
    "quantizers",
    "quantizer records",
    "snapshots",
    "vectors",
    "articles",
    "worker shards",
    "temporary",
]
"""What a store holds of things that are written once."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below one root folder."""

    root: str

    @property
    def current(self) -> str:
        """Names the version being served."""
        return f"{self.root}/CURRENT"

    @property
    def gc_lock(self) -> str:
        """Held by the one `gc` that is at work."""
        return f"{self.root}/.gc.lock"

    @property
    def article_parts(self) -> str:
        """The folder of article parts."""
        return f"{self.root}/articles"

    def article_part(self, source: str) -> str:
        """Articles and deletions of one source file."""
        return f"{self.article_parts}/{source}.parquet"

    @property
    def sources(self) -> str:
        """The folder of files as NCBI distributes them; one can be deleted once its article part exists."""
        return f"{self.root}/sources"

    @property
    def demo_sources(self) -> str:
        """The folder of the demo's source files."""
        return f"{self.sources}/demo"

    @property
    def published_chunks(self) -> str:
        """The folder of NCBI's published embeddings; it can be deleted once they are vector parts."""
        return f"{self.root}/published/chunks"

    @property
    def published_indices(self) -> str:
        """The folder of their indices."""
        return f"{self.root}/published/indices"

    @property
    def snapshots(self) -> str:
        """The folder of snapshots."""
        return f"{self.root}/snapshots"

    def snapshot(self, snapshot: str) -> str:
        """Which records are alive."""
        return f"{self.snapshots}/{snapshot}.parquet"

    def selection(self, selection: str) -> str:
        """The PMIDs of a selection that is a list."""
        return f"{self.root}/selections/{selection}.txt"

    @property
    def vectors(self) -> str:
        """The folder of all vector parts."""
        return f"{self.root}/vectors"

    def vector_parts(self, fingerprint: str, selection: str) -> str:
        """The folder of the vector parts of one article space and selection."""
        return f"{self.vectors}/{fingerprint}/{selection}"

    def vector_part(self, fingerprint: str, selection: str, part: str) -> str:
        """Vectors of one range of rows of one article part."""
        return f"{self.vector_parts(fingerprint, selection)}/{part}.parquet"

    def quantizer(self, sha256: str) -> str:
        """A trained, empty FAISS index."""
        return f"{self.root}/quantizers/{sha256}.faiss"

    def quantizer_record(self, inputs: str) -> str:
        """How a quantizer was trained."""
        return f"{self.root}/quantizers/{inputs}.json"

    def worker_shards(self, inputs: str) -> str:
        """The folder of what one worker built; temporary."""
        return f"{self.root}/shards/{inputs}"

    def worker_shard(self, inputs: str, shard: int) -> str:
        """What it built for one shard."""
        return f"{self.worker_shards(inputs)}/{shard}"

    def tombstones(self, sha256: str) -> str:
        """Row numbers of a segment that a version leaves out."""
        return f"{self.root}/tombstones/{sha256}.u32"

    def truth(self, sha256: str) -> str:
        """What an exact search finds for the queries by which recall is measured."""
        return f"{self.root}/truths/{sha256}.npz"

    @property
    def segments(self) -> str:
        """The folder of segments."""
        return f"{self.root}/segments"

    def segment(self, segment: str) -> str:
        """The folder of one segment."""
        return f"{self.segments}/{segment}"

    def run_report(self, run: str) -> str:
        """What one run of a job did."""
        return f"{self.root}/runs/{run}/report.json"

    @property
    def versions(self) -> str:
        """The folder of version manifests."""
        return f"{self.root}/versions"

    def version(self, version: str) -> str:
        """The manifest of one version."""
        return f"{self.versions}/{version}.json"


(
    ARTICLES,
    LISTS,
    ROWS,
    PMIDS,
    PMID_ORDER,
    TITLES,
    TITLE_ORDER,
    DOIS,
    DOI_ORDER,
    YEARS,
    TERMS,
    POSTINGS,
) = SEGMENT_FILES = (
    "articles.arrow",
    "lists.faiss",
    "rows.f16",
    "pmids.i64",
    "pmid_order.u32",
    "titles.i64",
    "title_order.u32",
    "dois.i64",
    "doi_order.u32",
    "years.i16",
    "terms.arrow",
    "postings.u32",
)
"""The data files of a segment; row r of each describes the same article; orders and postings name such rows."""

PLACES: dict[FileKind, tuple[str, str, str]] = {
    "versions": ("versions", "*", ".json"),
    "segments": ("segments", "*", ""),
    "tombstones": ("tombstones", "*", ".u32"),
    "truths": ("truths", "*", ".npz"),
    "quantizers": ("quantizers", "*", ".faiss"),
    "quantizer records": ("quantizers", "*", ".json"),
    "snapshots": ("snapshots", "*", ".parquet"),
    "vectors": ("vectors", "*/*/*", ".parquet"),
    "articles": ("articles", "*", ".parquet"),
    "worker shards": ("shards", "*", ""),
}
"""Of each kind the folder, how names are nested in it, and what is put behind a name: what `Layout` says, to be listed.
"""

UNFINISHED = sorted(
    f"{folder}/.*.tmp"
    for folder in {
        ".",
        "runs/*",
        "shards/*",
        "selections",
        *(f"{top}/{name}".rpartition("/")[0] for top, name, _ in PLACES.values()),
    }
)
"""Patterns of what processes that died left of files that they were writing."""

SEGMENT_MANIFEST = "segment.json"

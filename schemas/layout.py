"""Every path of the store, and nothing else: docs/store.md tells what each holds."""

import re
from collections.abc import Callable
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
    "mesh trees",
    "vectors",
    "articles",
    "worker shards",
    "temporary",
]
"""What a store holds of things that are written once."""

PLACES: dict[FileKind, str] = {
    "versions": "versions/<version>.json",
    "segments": "segments/<segment>",
    "tombstones": "tombstones/<sha256>.u32",
    "truths": "truths/<sha256>.npz",
    "quantizers": "quantizers/<sha256>.faiss",
    "quantizer records": "quantizers/<inputs>.json",
    "snapshots": "snapshots/<snapshot>.parquet",
    "mesh trees": "mesh/<sha256>.tsv",
    "vectors": "vectors/<fingerprint>/<selection>/<part>.parquet",
    "articles": "articles/<source>.parquet",
    "worker shards": "shards/<inputs>",
}
"""Where each kind lies, by the names that it is listed under."""


class Fixed:
    """A path below the root, as an attribute of `Layout`."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __get__(self, layout: "Layout", _: type) -> str:
        return f"{layout.root}/{self.path}"


class Named:
    """A path with names in it, as a function of `Layout` that takes them in their order."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._format = re.sub("<.*?>", "%s", path)

    def __get__(self, layout: "Layout", _: type) -> Callable[..., str]:
        return lambda *names: f"{layout.root}/{self._format % names}"


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below one root folder."""

    root: str

    current = Fixed("CURRENT")
    writer_lock = Fixed(".writer.lock")
    """Held by the one job that writes; says who."""
    article_parts = Fixed("articles")
    article_part = Named(PLACES["articles"])
    """Articles and deletions of one source file."""
    sources = Fixed("sources")
    """Files as NCBI distributes them; one can be deleted once its article part exists."""
    demo_sources = Fixed("sources/demo")
    published_chunks = Fixed("published/chunks")
    """NCBI's published embeddings; they can be deleted once they are vector parts."""
    published_indices = Fixed("published/indices")
    snapshots = Fixed("snapshots")
    snapshot = Named(PLACES["snapshots"])
    mesh_tree = Named(PLACES["mesh trees"])
    """Which MeSH headings are narrower than which, as `retrieval.ingest.mesh_files` writes it."""
    selection = Named("selections/<selection>.txt")
    """The PMIDs of a selection that is a list."""
    vectors = Fixed("vectors")
    vector_parts = Named("vectors/<fingerprint>/<selection>")
    """The folder of the vector parts of one article space and selection."""
    vector_part = Named(PLACES["vectors"])
    """Vectors of one range of rows of one article part."""
    quantizer = Named(PLACES["quantizers"])
    quantizer_record = Named(PLACES["quantizer records"])
    """How a quantizer was trained."""
    shards = Fixed("shards")
    worker_shards = Named(PLACES["worker shards"])
    """The folder of what one worker built; temporary."""
    worker_shard = Named("shards/<inputs>/<shard>")
    """What it built for one shard."""
    tombstones = Named(PLACES["tombstones"])
    """Row numbers of a segment that a version leaves out."""
    truth = Named(PLACES["truths"])
    """What an exact search finds for the queries by which recall is measured."""
    segments = Fixed("segments")
    segment = Named(PLACES["segments"])
    run_report = Named("runs/<run>/report.json")
    """What one run of a job did."""
    versions = Fixed("versions")
    version = Named(PLACES["versions"])
    """The manifest of one version."""


_NAMED = [place.path for place in vars(Layout).values() if isinstance(place, Named)]

UNFINISHED = sorted({f"{re.sub('<.*?>', '*', path).rpartition('/')[0]}/.*.tmp" for path in _NAMED} | {"./.*.tmp"})
"""Patterns of what processes that died left of files that they were writing."""

ARTICLES = "articles.arrow"
LISTS = "lists.faiss"
ROWS = "rows.f16"
PMIDS, PMID_ORDER = "pmids.i64", "pmid_order.u32"
TITLES, TITLE_ORDER = "titles.i64", "title_order.u32"
DOIS, DOI_ORDER = "dois.i64", "doi_order.u32"
PMCIDS, PMCID_ORDER = "pmcids.i64", "pmcid_order.u32"
AUTHORS, AUTHOR_ROWS = "authors.i64", "author_rows.u32"
YEARS, DAYS, TERMS, POSTINGS = "years.i16", "days.u16", "terms.arrow", "postings.u32"
"""The data files of a segment; `schemas.formats` says which of them there are."""

SEGMENT_MANIFEST = "segment.json"

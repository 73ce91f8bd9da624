"""Every key of the store, and nothing else: docs/store.md tells what each holds."""

import re
from typing import Literal

FileKind = Literal[
    "versions",
    "segments",
    "tombstones",
    "truths",
    "models",
    "quantizers",
    "quantizer records",
    "snapshots",
    "mesh trees",
    "selections",
    "vectors",
    "articles",
    "worker shards",
    "pairs",
    "texts of pairs",
    "pieces of pairs",
    "training runs",
    "checkpoints",
    "temporary",
]
"""What a store holds of things that are written once."""

PLACES: dict[FileKind, str] = {
    "versions": "versions/<version>.json",
    "segments": "segments/<segment>",
    "tombstones": "tombstones/<sha256>.u32",
    "truths": "truths/<sha256>.npz",
    "models": "models/<model>",
    "quantizers": "quantizers/<sha256>.faiss",
    "quantizer records": "quantizers/<inputs>.json",
    "snapshots": "snapshots/<snapshot>.parquet",
    "mesh trees": "mesh/<sha256>.tsv",
    "selections": "pmids/<selection>.i64",
    "vectors": "vectors/<fingerprint>/<selection>/<part>.parquet",
    "articles": "articles/<source>.parquet",
    "worker shards": "shards/<inputs>",
    "pairs": "pairs/<pairs>.parquet",
    "texts of pairs": "texts/<pairs>.parquet",
    "pieces of pairs": "pieces/<pairs>/<piece>.parquet",
    "training runs": "trained/<run>.json",
    "checkpoints": "checkpoints/<run>/<step>.safetensors",
}
"""Where each kind lies, by the names that it is listed under."""

SEGMENT_MANIFEST, MODEL_MANIFEST = "segment.json", "pubray.json"
FOLDERS: dict[FileKind, str] = {
    "segments": SEGMENT_MANIFEST,
    "worker shards": SEGMENT_MANIFEST,
    "models": MODEL_MANIFEST,
}
"""Kinds that are written as folders, and their manifests."""

_PATTERNS = {
    kind: re.compile(
        re.sub(r"<.*>", lambda names: f"({re.sub('<.*?>', '[^/.][^/]*', names[0])})", place)
        + ("(?:/.*)?" if kind in FOLDERS else "")
    )
    for kind, place in PLACES.items()
}

SOURCES, DEMO_SOURCES = "sources", "sources/demo"
"""Folders of a machine (`Store.work`): files as NCBI distributes them, of which one can be deleted once its article
part exists."""
SELECTIONS = "selections"
"""Lists of PMIDs that are made for a configuration."""
PUBLISHED_CHUNKS, PUBLISHED_INDICES = "published/chunks", "published/indices"
"""NCBI's published embeddings; they can be deleted once they are vector parts."""


def kind_of(key: str) -> tuple[FileKind, str] | None:
    """Return of what kind an object is, and the name that manifests know it by; None: it is none of `PLACES`."""
    found = ((kind, pattern.fullmatch(key)) for kind, pattern in _PATTERNS.items())
    return next(((kind, match[1]) for kind, match in found if match), None)


def key_of(kind: FileKind, name: str) -> str:
    """Return the key of what has such a name (see `kind_of`); what is temporary has its key as name."""
    return name if kind == "temporary" else re.sub("<.*>", lambda _: name, PLACES[kind])


class Named:
    """Keys with names in them: `Layout.version("abc")` is "versions/abc.json"."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.folder = key.partition("<")[0].rpartition("/")[0]
        """What all of them lie in."""
        self._format = re.sub("<.*?>", "%s", key)

    def __call__(self, *names: object) -> str:
        """Return the key of these names, in their order."""
        return self._format % names


class Layout:
    """Keys, relative to the root of a store."""

    current = "CURRENT"
    lease = "lease"
    """Who writes; in a folder a lock says it."""
    article_part = Named(PLACES["articles"])
    """Articles and deletions of one source file."""
    source = Named("sources/<file>")
    snapshot = Named(PLACES["snapshots"])
    mesh_tree = Named(PLACES["mesh trees"])
    """Which MeSH headings are narrower than which, as `retrieval.ingest.mesh_files` writes it."""
    selection = Named(PLACES["selections"])
    """The PMIDs of a selection that is a list, in order."""
    vector_parts = Named("vectors/<fingerprint>/<selection>")
    """The folder of the vector parts of one article space and selection."""
    vector_part = Named(PLACES["vectors"])
    """Vectors of one range of rows of one article part."""
    quantizer = Named(PLACES["quantizers"])
    quantizer_record = Named(PLACES["quantizer records"])
    """How a quantizer was trained."""
    worker_shards = Named(PLACES["worker shards"])
    """The folder of what one worker built; temporary."""
    worker_shard = Named("shards/<inputs>/<shard>")
    """What it built for one shard."""
    tombstones = Named(PLACES["tombstones"])
    """Row numbers of a segment that a version leaves out."""
    truth = Named(PLACES["truths"])
    """What an exact search finds for the queries by which recall is measured."""
    segment = Named(PLACES["segments"])
    pairs = Named(PLACES["pairs"])
    """A set of pairs to train with."""
    pair_texts = Named(PLACES["texts of pairs"])
    """Texts that a set of pairs brings along, of no article of the store."""
    pairs_piece = Named(PLACES["pieces of pairs"])
    """What one worker made of it; temporary."""
    training_run = Named(PLACES["training runs"])
    """What a run of training was, and the model that it made."""
    checkpoints = Named("checkpoints/<run>")
    """The folder of the states of a run of training."""
    checkpoint = Named(PLACES["checkpoints"])
    """One of them."""
    probe = Named("probes/<nonce>")
    """By which the nodes of a cluster show that they see the store; removed at once."""
    model = Named(PLACES["models"])
    """The folder of a model's weights, tokenizer and configuration."""
    run_report = Named("runs/<run>/report.json")
    """What one run of a job does or did."""
    run_page = Named("runs/<run>/report.html")
    """The same of a night, or of a run of training, for a person."""
    run_log = Named("runs/<run>/logs/<log>")
    """The last of what it logged."""
    runs = "runs/index.json"
    """The last of them, and how they ended."""
    version = Named(PLACES["versions"])
    """The manifest of one version."""


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

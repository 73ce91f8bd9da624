"""What has a vector already when articles are embedded: in an earlier snapshot, or among NCBI's published ones."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from actors.store.stores import open_store
from retrieval.embed.known.known_vectors import EarlierVectors, Known, agreement
from retrieval.embed.known.published_chunks import PublishedChunks
from retrieval.files.parquet import read_range
from schemas.config import Config
from schemas.errors import StoreError
from schemas.layout import PUBLISHED_INDICES, Layout
from schemas.protocols import ArticleText
from schemas.report import Agreement
from schemas.vector import EmbedCounts, EmbedPlan, RowRange

COLUMNS = ("pmid", "doc_id", "text_hash", "title", "abstract")
"""What is read of an article."""


class KnownSources:
    """The sources of vectors that a plan names."""

    def __init__(self, config: Config, plan: EmbedPlan) -> None:
        self._dimension = config.encoder.dimension
        self._earlier = plan.earlier and EarlierVectors(
            open_store(config),
            plan.earlier,
            lambda rows: Layout.vector_part(plan.fingerprint, plan.selection, rows.name),
            config.embed.rows_per_part,
            self._dimension,
        )
        self._published = published_vectors(config, plan.published) if plan.published else None

    def find(self, texts: pa.Table) -> tuple[Known, EmbedCounts]:
        """Return the vectors that articles (`COLUMNS`) have already: of the earlier snapshot, else published ones."""
        nothing = Known(np.empty(0, np.intp), np.empty((0, self._dimension), np.float16))
        copied = self._earlier.find(texts) if self._earlier and len(texts) else nothing
        # Keys of other corpora are no PMIDs.
        pubmed = np.array(texts["doc_id"].is_null())
        [rest] = np.nonzero(pubmed & ~np.isin(np.arange(len(texts)), copied.rows))
        imported = self._published.find(texts.take(pa.array(rest))) if self._published and len(rest) else nothing
        counts = EmbedCounts(
            copied=len(copied.rows),
            imported=len(imported.rows),
            unverified=imported.counts.unverified,
            stale=imported.counts.stale,
            unpublished=imported.counts.missing,
        )
        rows, vectors = np.append(copied.rows, rest[imported.rows]), np.append(copied.vectors, imported.vectors, axis=0)
        order = np.argsort(rows)
        return Known(rows[order], vectors[order]), counts


def published_vectors(config: Config, folder: str) -> PublishedChunks:
    """Open a folder of published vectors."""
    return PublishedChunks(Path(folder), open_store(config).work(PUBLISHED_INDICES), config.encoder.dimension)


def compare_sample(config: Config, folder: str, ranges: list[RowRange], count: int, threads: int) -> Agreement:
    """Encode articles whose vectors are published, about `count` of some ranges, and say how the vectors agree.

    Raises:
        StoreError: no article of the ranges has a published vector.
    """
    # Imported here: torch takes seconds and 200 MB, and the others do without.
    from actors.embed.towers import ArticleTower

    tower = ArticleTower(config, threads)
    store, chunks, rng = open_store(config), published_vectors(config, folder), np.random.default_rng(0)
    known, own = [], []
    for rows in ranges:
        with store.parquet(Layout.article_part(rows.source)) as file:
            articles = read_range(file, rows.start, rows.stop, COLUMNS)
        articles = articles.filter(pc.and_(pc.is_null(articles["doc_id"]), pc.not_equal(articles["abstract"], "")))
        found = chunks.find(articles)
        chosen = np.sort(rng.permutation(len(found.rows))[: -(-count // len(ranges))])
        texts = articles.take(pa.array(found.rows[chosen])).to_pydict()
        pairs = [ArticleText(*text) for text in zip(texts["title"], texts["abstract"], strict=True)]
        known.append(found.vectors[chosen])
        own.append(tower.encode(pairs))
    if not sum(map(len, known)):
        raise StoreError("no sampled article has a published vector; check the folder that --import-npy names")
    return agreement(np.concatenate(known), np.concatenate(own))

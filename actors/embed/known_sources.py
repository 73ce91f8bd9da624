"""What has a vector already when articles are embedded: in an earlier snapshot, or among NCBI's published ones."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from actors.store.stores import open_store
from retrieval.articles.snapshot import read_snapshot
from retrieval.embed.known.known_vectors import EarlierVectors, Known, agreement
from retrieval.embed.known.published_chunks import PublishedChunks
from retrieval.embed.vector_parts import read_vector_range, row_ranges
from retrieval.files.parquet import read_range
from schemas.arrays import Rows
from schemas.config import Config
from schemas.errors import StoreError
from schemas.layout import PUBLISHED_INDICES, Layout
from schemas.protocols import ArticleText
from schemas.report import Agreement
from schemas.vector import EmbedCounts, EmbedPlan, RowRange

COLUMNS = ("pmid", "doc_id", "text_hash", "title", "abstract")
"""What is read of an article."""


PROBED = 32
"""Articles that each encoder encodes again before its first range, to be compared with the vectors that they have."""
LOOKED_AT = 2 * PROBED
"""Rows in a line that are looked at for them, of which some have no vector."""
TRIED = 8
"""Places that are looked at, where there are too few."""


class Probe(NamedTuple):
    """Articles that have a vector, so that it can be told whether an encoder still makes such."""

    texts: list[ArticleText]
    vectors: Rows  # (n, dimension)


def read_probe(config: Config, plan: EmbedPlan) -> Probe | None:
    """Return some articles of the earlier snapshot, others every night; None if there are none.

    What is read: a few row groups of vectors, and of articles.
    """
    if plan.earlier is None:
        return None
    store, probe = open_store(config), Probe([], np.empty((0, config.encoder.dimension), np.float16))
    ranges = row_ranges(read_snapshot(store, plan.earlier).info.parts, config.embed.rows_per_part)
    rng = np.random.default_rng(list(plan.snapshot.encode()))
    for one in rng.permutation(len(ranges))[:TRIED]:
        rows = ranges[one]
        with store.parquet(Layout.vector_part(plan.fingerprint, plan.selection, rows.name)) as file:
            count = file.metadata.num_rows
            start = LOOKED_AT * int(rng.integers(-(-count // LOOKED_AT)))  # of row groups no more than need be
            stop = min(start + LOOKED_AT, count)
            hashes, vectors, present = read_vector_range(file, start, stop)
        with store.parquet(Layout.article_part(rows.source)) as file:
            articles = read_range(file, rows.start + start, rows.start + stop, COLUMNS)
        same = np.flatnonzero(present & (articles["text_hash"].to_numpy() == hashes))[: PROBED - len(probe.texts)]
        columns = articles.select(["title", "abstract"]).take(pa.array(same)).to_pydict()
        texts = [ArticleText(*text) for text in zip(columns["title"], columns["abstract"], strict=True)]
        probe = Probe(probe.texts + texts, np.concatenate([probe.vectors, vectors[same]]))
        if len(probe.texts) == PROBED:
            break
    return probe if probe.texts else None


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


def compare_sample(config: Config, folder: str, ranges: list[RowRange], count: int) -> Agreement:
    """Encode articles whose vectors are published, about `count` of some ranges, and say how the vectors agree.

    Raises:
        StoreError: no article of the ranges has a published vector.
    """
    # Imported here: torch takes seconds and 200 MB, and the others do without.
    from actors.embed.towers import ArticleTower
    from actors.engine.cpu_threads import available_threads

    tower = ArticleTower(config, config.embed.threads or available_threads())
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

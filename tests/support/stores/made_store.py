"""A store of made articles, whose vectors are a function of their texts: nights without an encoder."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from actors.fetch.stored_models import tower_digests
from actors.store.local_store import LocalStore
from actors.store.stores import open_store
from jobs import index, promote
from jobs.common.store import keep_selection, newest_snapshot, read_version, served_version
from jobs.steps.index.version_build import Build
from retrieval.articles.article import article_batch
from retrieval.articles.snapshot import alive_rows, read_snapshot
from retrieval.articles.snapshot_update import SnapshotPlan, write_snapshot
from retrieval.embed.vector_parts import row_ranges, write_vector_part
from schemas.arrays import Rows
from schemas.article import Article
from schemas.config import Config
from schemas.encoder import article_fingerprint
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.report import VersionReport
from schemas.snapshot import Lineage
from tests.support.models import tiny
from tests.support.pubmed.pubmed_files import configured
from tests.support.stores.store_files import write_part

ROWS_PER_PART = 4


def vectors_of(texts: Sequence[int]) -> Rows:
    """The vectors of text hashes: near one of a few centres, and equal for equal texts."""
    found = np.zeros((len(texts), tiny.DIMENSION))
    for row, text in enumerate(texts):
        rng = np.random.default_rng(text)
        found[row] = np.random.default_rng(text % 5).standard_normal(tiny.DIMENSION)
        found[row] += 0.5 * rng.standard_normal(tiny.DIMENSION)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16)


def rebuilt(config: Config, version: IndexVersion) -> IndexVersion:
    """The version that is built anew from the newest snapshot, with the quantizer of another."""
    store = LocalStore(config.store)
    build = Build(config, full=True)
    records = {file.read_text() for file in store.path(Layout.quantizer_record("")).parent.glob("*.json")}
    [record] = [text for text in records if version.quantizer in text]
    store.path(Layout.quantizer_record(build.rows_digest)).write_text(record)
    found = read_version(store, index.run(config, full=True).version)
    assert (found.quantizer, found.tombstones) == (version.quantizer, {})
    return found


class MadeStore:
    """What ingest and embed would have left in a store, written directly."""

    def __init__(self, folder: Path, model: Path, *settings: str, bucket: str | None = None) -> None:
        """Make one in a folder, or in a bucket; `model` is a tiny encoder's, for the queries of the check."""
        own = ["selection.rule=all", f"embed.rows_per_part={ROWS_PER_PART}", "index.recall_floor=0"]
        config = configured(folder / "store", *own, "index.recall_queries=1", *settings)
        config = config.with_values(
            encoder=tiny.spec(model), cache=str(folder / "cache" if bucket else model / "cache")
        )
        self.config = config.with_values(store=bucket) if bucket else config
        self.files = cast("LocalStore", open_store(self.config))  # which it is for those who ask for paths

    def publish(self, articles: Sequence[Article]) -> None:
        """Add the records of one source file, a snapshot, and the vector parts."""
        previous = newest_snapshot(self.files)
        known = previous.info.parts if previous else ()
        name = f"night{len(known):04}"
        part = write_part(self.files, name, [article_batch(articles)]).ref
        plan = SnapshotPlan(Lineage(number=0), (*known, part), previous)
        write_snapshot(self.files, plan, lambda counts: None)
        snapshot = read_snapshot(self.files, plan.id)
        with self.files.parquet(Layout.article_part(name)) as file:
            keys = file.read(["pmid", "text_hash"])
        pmids, texts = keys["pmid"].to_numpy(), keys["text_hash"].to_numpy()
        for one in row_ranges(snapshot.info.parts, ROWS_PER_PART):
            if one.source == name:
                rows = slice(one.start, one.stop)
                with self.files.parquet(snapshot.key) as file:
                    alive = alive_rows(file, snapshot.number(name), one.start, one.stop)
                with self.files.incoming(self._vector_part(one.name)) as path:
                    write_vector_part(path, pmids[rows], texts[rows], vectors_of(texts[rows]), alive)

    def index(self) -> IndexVersion:
        """Run the job; its version is not promoted."""
        return self.version(index.run(self.config))

    def promoted(self, version: IndexVersion) -> IndexVersion:
        """Make a version CURRENT."""
        promote.run(self.config, version=version.id)
        return served_version(self.files)

    def version(self, report: VersionReport) -> IndexVersion:
        """The version that a job reports."""
        return read_version(self.files, report.version)

    def _vector_part(self, name: str) -> str:
        tower = tower_digests(self.config.encoder.article, self.config)
        selection = keep_selection(self.files, self.config.selection)
        return Layout.vector_part(article_fingerprint(self.config.encoder, tower), selection, name)

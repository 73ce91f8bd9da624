"""`embed --import-npy`: published vectors become vector parts, and the rest is encoded."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from actors.store.local_store import LocalStore
from jobs import embed
from jobs.common.store import ingested
from schemas.config import Config
from schemas.errors import StoreError, UsageError
from schemas.layout import Layout
from tests.support.stores.embedded_stores import SETTINGS, Vectors, alive_vectors, copied_store

MARK = np.float16(0.25)
"""What published vectors differ by from those that an encoder would give."""


@pytest.fixture
def config(embedded: Path, tmp_path: Path) -> Config:
    """A store without vectors, whose encoder is called MedCPT."""
    return copied_store(embedded / "store", tmp_path, *SETTINGS, "encoder.name=MedCPT", vectors=False)


@pytest.fixture
def vectors(embedded: Path, tmp_path: Path) -> Vectors:
    """What the encoder makes of the articles."""
    return alive_vectors(copied_store(embedded / "store", tmp_path / "whole", *SETTINGS))


def texts(config: Config) -> dict[int, tuple[str, str]]:
    store = LocalStore(config.store)
    columns = ["pmid", "title", "abstract"]
    parts = [
        pq.read_table(store.path(Layout.article_part(p.name)), columns=columns) for p in ingested(store).info.parts
    ]
    return {row["pmid"]: (row["title"], row["abstract"]) for part in parts for row in part.to_pylist()}


def publish(folder: Path, vectors: Vectors, texts: dict[int, tuple[str, str]] | None = None) -> str:
    """Write chunks as NCBI does."""
    folder.mkdir()
    for chunk in {pmid // 1_000_000 for pmid in vectors}:
        pmids = [pmid for pmid in vectors if pmid // 1_000_000 == chunk]
        np.save(folder / f"embeds_chunk_{chunk}.npy", np.stack([vectors[p] for p in pmids]).astype("<f4"))
        (folder / f"pmids_chunk_{chunk}.json").write_text(json.dumps([str(pmid) for pmid in pmids]))
        if texts:
            records = {str(p): {"d": "19750101", "t": texts[p][0], "a": texts[p][1], "m": ""} for p in pmids}
            (folder / f"pubmed_chunk_{chunk}.json").write_text(json.dumps(records))
    return str(folder)


def test_what_is_published_is_imported_and_the_stale_and_the_missing_are_encoded(
    config: Config, vectors: Vectors, tmp_path: Path
) -> None:
    known = texts(config)
    [stale, missing, *rest] = list(vectors)
    marked = {pmid: vectors[pmid] + MARK for pmid in [stale, *rest]}
    chunks = publish(tmp_path / "chunks", marked, known | {stale: ("Another title", known[stale][1])})
    report = embed.run(config, import_npy=chunks)
    counts = {
        name: getattr(report, name) for name in ("imported", "unverified", "stale", "unpublished", "encoded", "copied")
    }
    assert counts == {
        "imported": len(rest),
        "unverified": 0,
        "stale": 1,
        "unpublished": 1,
        "encoded": 2,
        "copied": 0,
    }
    after = alive_vectors(config)
    assert all(np.array_equal(after[pmid], marked[pmid]) for pmid in rest)
    assert all(np.abs(after[pmid] - vectors[pmid]).max() < 0.01 for pmid in (stale, missing))


@pytest.mark.whole
def test_without_texts_vectors_are_unverified_and_a_sample_can_be_compared_first(
    config: Config, vectors: Vectors, tmp_path: Path
) -> None:
    report = embed.run(config, import_npy=publish(tmp_path / "chunks", vectors), check=20)
    assert (report.imported, report.unverified, report.encoded) == (len(vectors), len(vectors), 0)
    assert report.check
    assert 10 <= report.check.pairs <= 30
    assert report.check.min_cosine > 0.999


def test_vectors_of_another_encoder_are_refused_by_the_sample_and_nothing_is_written(
    config: Config, vectors: Vectors, tmp_path: Path
) -> None:
    shuffled = dict(zip(vectors, [*list(vectors.values())[1:], next(iter(vectors.values()))], strict=True))
    chunks = publish(tmp_path / "chunks", shuffled)
    with pytest.raises(StoreError, match="published vectors are not the encoder's own"):
        embed.run(config, import_npy=chunks, check=10)
    assert not (Path(config.store) / "vectors").exists()


def test_only_medcpt_takes_published_vectors(config: Config, tmp_path: Path) -> None:
    other = config.with_values(encoder={"name": "other"})
    with pytest.raises(UsageError, match="the published vectors are MedCPT's, the configured encoder is 'other'"):
        embed.run(other, import_npy=str(tmp_path))

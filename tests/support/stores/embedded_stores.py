"""Copies of an embedded store of 300 real records, and what the tests of embed look at in them."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from actors.store.local_store import LocalStore
from jobs.common.store import ingested
from retrieval.embed.vector_parts import row_ranges
from schemas.config import Config
from schemas.layout import Layout
from tests.support.pubmed.pubmed_files import configured, files
from tests.support.stores.parquet_files import vectors_at

ROWS = 10
PARTS = 30
SETTINGS = [f"embed.rows_per_part={ROWS}", "embed.actors=1", "ingest.max_vanished=0.1"]
Vectors = dict[int, NDArray[np.float16]]


def copied_store(store: Path, folder: Path, *settings: str, vectors: bool = True) -> Config:
    """Copy a store, with or without its vectors; return its configuration."""
    shutil.copytree(store, folder / "store", ignore=None if vectors else shutil.ignore_patterns("vectors", "runs"))
    return configured(folder / "store", *SETTINGS, *settings)


def vector_parts(config: Config) -> dict[str, int]:
    """The names of the vector parts of a store, and when each was written."""
    found = {Path(name): time for name, time in files(Path(config.store) / "vectors").items()}
    return {name.stem: time for name, time in found.items() if name.suffix == ".parquet"}


def vector_folder(config: Config) -> Path:
    """The folder of the vector parts of a store."""
    [folder] = Path(config.store, "vectors").glob("*/abstract")
    return folder


def alive_vectors(config: Config) -> Vectors:
    """The vectors of the newest snapshot, by PMID: its articles with an abstract have one each."""
    objects, folder = LocalStore(config.store), vector_folder(config)
    snapshot = ingested(objects)
    keys = pq.read_table(objects.path(snapshot.key), columns=["part", "row", "pmid"]).to_pydict()
    found: Vectors = {}
    ranges = row_ranges(snapshot.info.parts, ROWS)
    for number, part in enumerate(snapshot.info.parts):
        texts = pq.read_table(objects.path(Layout.article_part(part.name)), columns=["abstract"])
        abstracts = texts["abstract"].to_pylist()
        pieces = [vectors_at(folder / f"{rows.name}.parquet") for rows in ranges if rows.source == part.name]
        pmids, vectors, present = (np.concatenate(column) for column in zip(*pieces, strict=True))
        for row, pmid in [(r, p) for n, r, p in zip(*keys.values(), strict=True) if n == number]:
            assert (pmids[row], bool(present[row])) == (pmid, abstracts[row] != "")
            if present[row]:
                assert pmid not in found
                found[pmid] = vectors[row]
    return found


def assert_close(found: Vectors, expected: Vectors) -> None:
    """Compare vectors of the same texts, encoded among others."""
    assert found.keys() == expected.keys()
    assert max(np.abs(found[pmid].astype(np.float32) - expected[pmid]).max() for pmid in expected) <= 1e-3

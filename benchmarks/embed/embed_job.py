"""The `embed` job beside what it cannot do without: the bare engine, and the bare tokenizer.

Every run has a store of its own, whose articles are those of one base store, and a Ray of its own.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from actors.embed.embed_stages import EncodeRange
from actors.fetch.model_folders import model_folder
from actors.fetch.stored_models import tower_digests
from actors.store.local_store import LocalStore
from benchmarks.common.cpu_watch import CpuWatch
from jobs import ingest
from jobs.common.cluster.joining import connect
from jobs.common.config import load_config
from jobs.common.store import ingested, keep_selection, newest_snapshot
from jobs.steps.embed.embed_pipeline import pipeline
from retrieval.articles.snapshot import alive_rows
from retrieval.embed.tokens import Tokens, TowerTokenizer
from retrieval.embed.vector_parts import row_ranges
from retrieval.files.parquet import read_range
from schemas.config import Config
from schemas.encoder import article_fingerprint
from schemas.layout import Layout
from schemas.protocols import ArticleText
from schemas.vector import EmbedCounts, EmbedPlan


def base_store(settings: list[str]) -> Config:
    """Return the configuration over a store of both files of the embedded data, ingested on the first call."""
    cache = Path(load_config(None, settings, {}).cache)
    config = load_config(None, settings, {"PUBRAY_STORE": str(cache / "benchmarks" / "store")})
    if newest_snapshot(LocalStore(config.store)) is None:
        ingest.run(config, source="embedded:pubmed")
    return config


def real_articles(config: Config, count: int) -> tuple[list[int], list[ArticleText]]:
    """Return the PMIDs and texts of `count` random live articles with an abstract, always the same ones."""
    store, found = LocalStore(config.store), []
    snapshot = ingested(store)
    for number, part in enumerate(snapshot.info.parts):
        with store.parquet(Layout.article_part(part.name)) as file:
            table = read_range(file, 0, part.rows, ["pmid", "title", "abstract"])
        with store.parquet(snapshot.key) as file:
            alive = alive_rows(file, number, 0, part.rows)
        found.append(table.filter(pa.array(alive & (np.array(table["abstract"].to_pylist()) != ""))))
    table = pa.concat_tables(found)
    rows = np.random.default_rng(0).permutation(len(table))[:count]
    columns = table.take(pa.array(rows)).to_pydict()
    texts = [ArticleText(*text) for text in zip(columns["title"], columns["abstract"], strict=True)]
    return columns["pmid"], texts


def own_store(config: Config, folder: str, pmids: list[int]) -> Config:
    """Return the configuration over a new store with the same articles, of which `pmids` are selected."""
    for name in ("articles", "snapshots"):
        (Path(folder) / name).symlink_to(Path(config.store) / name)
    chosen = Path(folder) / "pmids.txt"
    chosen.write_text("".join(f"{pmid}\n" for pmid in pmids))
    return config.with_values(store=folder, selection={"rule": "pmids", "file": str(chosen)})


def timed_job(base: Config, settings: list[str], pmids: list[int]) -> dict[str, Any]:
    """Run `pubray embed` as a user does; return its report, with the seconds from start to exit as `wall_seconds`."""
    with tempfile.TemporaryDirectory() as folder:
        config = own_store(base, folder, pmids)
        overrides = [*settings, "selection.rule=pmids", f"selection.file={config.selection.file}"]
        command = [
            sys.executable,
            "-m",
            "jobs",
            *(part for one in overrides for part in ("--set", one)),
            "embed",
            "--json",
        ]
        start = time.perf_counter()
        done = subprocess.run(
            command, env={**os.environ, "PUBRAY_STORE": folder}, stdout=subprocess.PIPE, text=True, check=True
        )
        return {**json.loads(done.stdout), "wall_seconds": time.perf_counter() - start}


class NullTower:
    """An article tower that takes no time."""

    def __init__(self, dimension: int) -> None:
        """`dimension` is that of the vectors."""
        self._dimension = dimension

    def vectors(self, texts: list[Tokens]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """Return zeros."""
        return np.zeros((len(texts), self._dimension), np.float32)

    def padded_tokens(self, texts: list[Tokens]) -> int:
        """Return that nothing was computed."""
        return 0

    def flops(self, texts: list[Tokens]) -> float:
        """Return that there is nothing to compute."""
        return 0.0

    def peak(self) -> float:
        """Return any number."""
        return 1.0


class NullEncode(EncodeRange):
    """The encoding stage without an encoder: what is left is the host's work."""

    def __init__(self, config: Config, plan: EmbedPlan, beside: int = 1) -> None:
        """Load nothing."""
        self._tower = NullTower(config.encoder.dimension)  # type: ignore[assignment]
        self._peak, self._idle_since = None, None
        self._refused, self._begun = "", EmbedCounts(encoders=1)


def host_seconds(base: Config, pmids: list[int]) -> float:
    """Return the CPU seconds, of all processes, that the job takes with an encoder that takes none."""
    with tempfile.TemporaryDirectory() as folder:
        config = own_store(base, folder, pmids)
        objects = LocalStore(config.store)
        selection = keep_selection(objects, config.selection)
        digests = tower_digests(config.encoder.article, config)
        snapshot = ingested(objects)
        plan = EmbedPlan(snapshot.id, selection, article_fingerprint(config.encoder, digests))
        connect(config)
        ranges = row_ranges(snapshot.info.parts, config.embed.rows_per_part)
        with CpuWatch() as watch:
            for _ in pipeline(config, plan, ranges, NullEncode).iter_rows():
                pass
        return watch.seconds


def tokenizer_seconds(config: Config, texts: list[ArticleText]) -> float:
    """Return the CPU seconds that tokenising takes alone."""
    tower = config.encoder.article
    tokenizer = TowerTokenizer(model_folder(tower.model, tower.revision, Path(config.cache)), tower)
    start = time.process_time()
    tokenizer.articles(texts)
    return time.process_time() - start

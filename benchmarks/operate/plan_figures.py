"""The figures of `pubray plan` that are measured here: bytes per article, and what a core does in a second.

    python -m benchmarks.operate.plan_figures [--json]

All articles with an abstract of the demo's data, with made vectors of 768 dimensions, 256 lists; one thread, its CPU
seconds. Rates per core are those of this machine.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
import torch

from actors.fetch.model_folders import model_folder
from actors.store.local_store import LocalStore
from benchmarks.embed.embed_job import base_store, real_articles
from jobs.common.console import say, table
from jobs.common.store import ingested
from retrieval.articles.snapshot import compare_snapshots
from retrieval.embed.tokens import TowerTokenizer
from retrieval.index.centroids.quantizer import Centroids, Quantizer
from retrieval.index.centroids.quantizer_training import train_quantizer
from retrieval.index.exact import BLOCK, exact_search
from retrieval.index.segment import OpenSegment, RowGroup, write_segment
from retrieval.index.segment_build import group_rows, merged_groups, merged_sizes
from retrieval.rows.records import read_kept
from retrieval.search.segment_search import search
from schemas import layout
from schemas.arrays import Lists, Rows
from schemas.config import Config
from schemas.encoder import TowerSpec
from schemas.layout import (
    ARTICLES,
    AUTHOR_ROWS,
    AUTHORS,
    DAYS,
    PMCID_ORDER,
    PMCIDS,
    POSTINGS,
    TERMS,
    YEARS,
    Layout,
)

DIMENSION, LISTS = 768, 256
FACETS = (YEARS, DAYS, TERMS, POSTINGS, AUTHORS, AUTHOR_ROWS, PMCIDS, PMCID_ORDER)
"""With what finds authors and PMCIDs."""
ANY_LENGTH = 1 << 20
QUERIES, CANDIDATES = 500, 200
FEW, MANY = 16, 128
"""Lists that are probed."""


def main() -> None:
    """Print one row per figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    config = base_store([])
    pmids, texts = real_articles(config, ANY_LENGTH)
    figures = {**stored(config), **tokens(config, texts), **arithmetic(), **segments(config, pmids)}
    say(json.dumps(figures, indent=1) if options.json else table(["figure", "value"], figures.items()))


def stored(config: Config) -> dict[str, float]:
    """Return bytes per record of article parts and per article of a snapshot, and the seconds to compare two."""
    store, snapshot = LocalStore(config.store), ingested(LocalStore(config.store))
    parts = snapshot.info.parts
    size = sum(store.path(Layout.article_part(part.name)).stat().st_size for part in parts)
    seconds, _ = cpu(lambda: compare_snapshots(store, snapshot, snapshot))
    return {
        "article part, bytes/record": size / sum(part.rows for part in parts),
        "snapshot, bytes/article": store.path(snapshot.key).stat().st_size / snapshot.info.counts.alive,
        "comparing snapshots, articles/s": snapshot.info.counts.alive / seconds,
    }


def tokens(config: Config, texts: list[Any]) -> dict[str, float]:
    """Return the mean lengths of articles in WordPieces, cut as MiniLM's and MedCPT's are, and tokens per second."""
    article = config.encoder.article
    folder = model_folder(article.model, article.revision, Path(config.cache))
    tower = TowerSpec(model=article.model, max_length=512, pair=True)
    seconds, whole = cpu(lambda: TowerTokenizer(folder, tower).articles(texts))
    _, cut = cpu(lambda: TowerTokenizer(folder, article).articles(texts))
    counts = [sum(len(t.ids) for t in found) for found in (whole, cut)]
    return {
        "WordPieces/article, at most 512": counts[0] / len(texts),
        "WordPieces/article, at most 256": counts[1] / len(texts),
        "tokenising, tokens/s": counts[0] / seconds,
    }


def arithmetic() -> dict[str, float]:
    """Return FLOP per second of assigning rows to 65,536 lists, and bytes of float16 rows per second searched."""
    rng = np.random.default_rng(0)
    lists = Centroids(rng.standard_normal((65_536, DIMENSION), np.float32), is_l2=False)
    x = rng.standard_normal((4 * BLOCK, DIMENSION), np.float32)
    seconds, _ = cpu(lambda: lists.nearest(x))
    rows = rng.standard_normal((131_072, DIMENSION), np.float32).astype(np.float16)
    numbers = np.arange(len(rows))
    search, _ = cpu(lambda: exact_search(x[:200], rows, numbers, 100))
    return {
        "assigning, FLOP/s": 2 * x.size * 65_536 / seconds,
        "exact search of 200 queries, bytes/s": rows.nbytes / search,
    }


def segments(config: Config, pmids: list[int]) -> dict[str, float]:
    """Return bytes per article of a segment, and rows per second that are encoded, written, merged and checked."""
    articles = _records(config, pmids)
    keys = articles["pmid"].to_numpy()
    rows = np.random.default_rng(0).standard_normal((len(keys), DIMENSION), np.float32).astype(np.float16)
    content, _ = train_quantizer(rows[: 40 * LISTS], f"RR{DIMENSION},IVF{LISTS},RaBitQ", metric="inner_product", seed=0)
    quantizer = Quantizer(content)
    halves = [slice(0, len(keys) // 2), slice(len(keys) // 2, len(keys))]
    with tempfile.TemporaryDirectory() as folder:

        def write(name: str, sizes: Lists, groups: Iterable[RowGroup]) -> OpenSegment:
            manifest = write_segment(Path(folder, name), groups, sizes, segment=name, shard=0, quantizer=quantizer)
            return OpenSegment(LocalStore(folder), name, manifest, quantizer)

        encode, groups = cpu(lambda: [group_rows(quantizer, rows[half], keys[half], articles[half]) for half in halves])
        build, parts = cpu(lambda: [write(str(i), *group) for i, group in enumerate(groups)])
        merge, merged = cpu(lambda: write("m", merged_sizes(parts), merged_groups(parts)))
        searches = searching(merged, quantizer, rows)
        records = sum((Path(folder) / name / ARTICLES).stat().st_size for name in "01")
        facets = sum((Path(folder) / "m" / name).stat().st_size for name in FACETS)
        size = sum(digest.bytes for part in parts for digest in part.manifest.files.values())
    return {
        "articles.arrow, bytes/article": records / len(keys),
        "facets, bytes/article": facets / len(keys),
        "encoding, rows/s": len(keys) / encode,
        "writing a segment, bytes/s": size / build,
        "merging, bytes/s": size / merge,
        **searches,
    }


def searching(segment: OpenSegment, quantizer: Quantizer, rows: Rows) -> dict[str, float]:
    """Return the seconds of a query beside the scan of its lists, and the bytes of codes a second of that."""
    queries = rows[:: len(rows) // QUERIES][:QUERIES].astype(np.float32)

    def of_all(nprobe: int) -> float:
        seconds, _ = cpu(
            lambda: [search(q[None], [segment], quantizer, nprobe=nprobe, candidates=CANDIDATES) for q in queries]
        )
        return seconds / QUERIES

    of_all(FEW)
    few, many = of_all(FEW), of_all(MANY)
    codes = segment.manifest.files[layout.LISTS].bytes / LISTS
    scan = (many - few) / (MANY - FEW)
    return {"a query beside its scan, s": few - FEW * scan, "scanning codes, bytes/s": codes / scan}


def _records(config: Config, pmids: list[int]) -> pa.Table:
    """Return what a segment keeps of the articles of both files with these PMIDs."""
    store, snapshot = LocalStore(config.store), ingested(LocalStore(config.store))
    found = []
    for part in snapshot.info.parts:
        with store.parquet(Layout.article_part(part.name)) as file:
            found.append(read_kept(file, 0, part.rows))
    records = pa.concat_tables(found)
    rows = np.flatnonzero(np.isin(records["pmid"].to_numpy(), pmids))
    return records.take(pa.array(rows))


def cpu(function: Callable[[], Any]) -> tuple[float, Any]:
    """Call a function; return its CPU seconds, all threads, and what it returned."""
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


if __name__ == "__main__":
    main()

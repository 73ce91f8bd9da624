"""Other services over the same articles and vectors; part of benchmarks/serve."""

import json
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from actors.fetch.model_folders import model_folder
from actors.search.index_searcher import IndexSearcher
from actors.store.local_store import LocalStore
from benchmarks.common.job_watch import ROOT
from benchmarks.index.index_rivals import built_once
from benchmarks.rivals.rivals import LANCEDB, rival_command
from benchmarks.serve.serve_load import PORT, Service, running
from jobs.common.store import served_version
from schemas.config import Config

RIVALS = {"FastAPI, sentence-transformers, faiss HNSW": "faiss", "FastAPI, sentence-transformers, LanceDB": "lancedb"}
"""Of each the name that rival_service.py knows."""


@contextmanager
def rival_serving(name: str, config: Config, folder: Path) -> Iterator[Service]:
    """Run a rival.

    Raises:
        InputError: it cannot be installed.
    """
    kind, cache = RIVALS[name], Path(config.cache)
    write_articles(config, folder / "articles.jsonl")
    query = config.encoder.query
    model = model_folder(query.model, query.revision, cache)
    interpreter = [sys.executable, str(ROOT / "benchmarks" / "rivals" / "rival_service.py")]
    if kind == "lancedb":
        interpreter = rival_command(cache, LANCEDB, "rivals/rival_service.py")
        script = rival_command(cache, LANCEDB, "rivals/rival_lancedb.py")
        built_once(folder / "lance-IVF_RQ", [*script, "build", str(folder / "vectors.npy"), "IVF_RQ"])
    # Of this environment: torch, sentence-transformers and FastAPI.
    shared = sysconfig.get_path("purelib")
    with running([*interpreter, kind, str(folder), str(model), PORT, shared], {}) as service:
        yield service


def write_articles(config: Config, path: Path) -> None:
    """Write what an answer shows of each article, in the order of vectors.npy, unless it is there."""
    if path.exists():
        return
    store = LocalStore(config.store)
    [segment] = IndexSearcher(store, served_version(store)).segments
    articles = segment.display.read(segment.pmid_order)
    path.write_text("".join(json.dumps(article._asdict()) + "\n" for article in articles))

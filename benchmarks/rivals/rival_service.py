"""The service that one writes in an afternoon: FastAPI, sentence-transformers, and faiss or LanceDB.

    rival_service.py faiss|lancedb FOLDER MODEL PORT PACKAGES

A rival of benchmarks/serve, with nothing of pubray: the same model folder, vectors and articles, at the recall@10 of
pubray's lists or above (.99; benchmarks/index). faiss: HNSW over float32 vectors in memory. LanceDB: IVF_RQ with
refine, which runs in an environment of its own that borrows what it lacks from the folder PACKAGES.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

LINKS, EF_SEARCH, EF_CONSTRUCTION = 32, 64, 100
PROBES, REFINE = 64, 2
Found = list[tuple[int, float]]


def main() -> None:
    """Serve until the process is ended."""
    kind, folder, model, port, packages = sys.argv[1:]
    sys.path.append(packages)
    serve({"faiss": faiss_search, "lancedb": lancedb_search}[kind](Path(folder)), Path(folder), model, int(port))


def serve(search: Callable[["np.ndarray"], Found], folder: Path, model: str, port: int) -> None:
    """Answer over HTTP."""
    import uvicorn
    from fastapi import FastAPI
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(model)
    articles = [json.loads(line) for line in (folder / "articles.jsonl").read_text().splitlines()]
    app = FastAPI()

    @app.get("/readyz")
    def ready() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/v1/search")
    def answer(body: dict[str, Any]) -> dict[str, Any]:
        [vector] = encoder.encode([body["query"]], normalize_embeddings=True)
        return {"hits": [{"score": score, **articles[row]} for row, score in search(vector)]}

    uvicorn.run(app, port=port, log_level="error")


def faiss_search(folder: Path) -> Callable[["np.ndarray"], Found]:
    """Return a search in an HNSW index."""
    import faiss

    vectors = np.load(folder / "vectors.npy")
    index = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = EF_CONSTRUCTION, EF_SEARCH
    index.add(vectors)

    def search(vector: "np.ndarray") -> Found:
        scores, rows = index.search(vector[None], 10)
        return list(zip(rows[0].tolist(), scores[0].tolist(), strict=True))

    return search


def lancedb_search(folder: Path) -> Callable[["np.ndarray"], Found]:
    """Return a search in the table that rival_lancedb.py has built."""
    import lancedb  # type: ignore[import-not-found]

    table = lancedb.connect(str(folder / "lance-IVF_RQ")).open_table("rows")

    def search(vector: "np.ndarray") -> Found:
        query = table.search(vector).distance_type("cosine").nprobes(PROBES).refine_factor(REFINE)
        found = query.select(["id", "_distance"]).limit(10).to_arrow()
        return list(zip(found["id"].to_pylist(), found["_distance"].to_pylist(), strict=True))

    return search


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()

"""The service that one writes in an afternoon: FastAPI, sentence-transformers, faiss. A rival of `benchmarks/serve.py`.

    python -m benchmarks.rival_service STORE PORT

The same model and articles; HNSW, whose recall@10 is that of pubray's lists (.99), over float32 vectors in memory.
"""

import os
import sys
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import uvicorn
from fastapi import FastAPI
from sentence_transformers import SentenceTransformer

from actors.models import model_folder
from actors.searcher import IndexSearcher
from jobs.config import load_config
from jobs.store import open_layout, served_version

LINKS, EF_SEARCH, EF_CONSTRUCTION = 32, 64, 100


def main() -> None:
    """Serve until the process is ended."""
    store, port = sys.argv[1:]
    config = load_config(None, [], {"PUBRAY_STORE": store})
    searcher = IndexSearcher(open_layout(config), served_version(open_layout(config)))
    query = config.encoder.query
    model = SentenceTransformer(str(model_folder(query.model, query.revision, Path(config.cache))))
    index = faiss.IndexHNSWFlat(config.encoder.dimension, LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = EF_CONSTRUCTION, EF_SEARCH
    articles: list[dict[str, Any]] = []
    for segment in searcher.segments:
        index.add(segment.rows.astype(np.float32))
        articles += [article._asdict() for article in segment.display.read(np.arange(segment.manifest.rows))]
    app = FastAPI()

    @app.get("/readyz")
    def ready() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/v1/search")
    def search(body: dict[str, Any]) -> dict[str, Any]:
        vectors = model.encode([body["query"]], normalize_embeddings=True)
        scores, rows = index.search(vectors, 10)
        return {
            "hits": [{"score": float(s), **articles[row]} for s, row in zip(scores[0], rows[0].tolist(), strict=True)]
        }

    uvicorn.run(app, port=int(port), log_level="error")


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()

"""Vector parts of random vectors, for stores of which only sizes and times matter."""

import numpy as np

from actors.fetch.stored_models import tower_digests
from actors.store.stores import open_store
from jobs.common.store import ingested, keep_selection
from retrieval.articles.pmids import read_selection, selected
from retrieval.articles.snapshot import alive_rows, open_keys
from retrieval.embed.vector_parts import row_ranges, write_vector_part
from retrieval.files.parquet import read_range
from schemas.config import Config
from schemas.encoder import article_fingerprint
from schemas.layout import Layout


def write_vectors(config: Config) -> None:
    """Write a vector of length 1 for each selected article of the newest snapshot."""
    store = open_store(config)
    snapshot, rng = ingested(store), np.random.default_rng(0)
    fingerprint = article_fingerprint(config.encoder, tower_digests(config.encoder.article, config))
    selection = keep_selection(store, config.selection)
    for one in row_ranges(snapshot.info.parts, config.embed.rows_per_part):
        with store.parquet(Layout.article_part(one.source)) as file:
            articles = read_range(file, one.start, one.stop, ["pmid", "text_hash", "abstract"])
        with open_keys(store, snapshot.id) as file:
            wanted = alive_rows(file, snapshot.number(one.source), one.start, one.stop)
        wanted &= selected(config.selection, read_selection(store, selection), articles)
        vectors = rng.standard_normal((len(articles), config.encoder.dimension), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        keys, hashes = articles["pmid"].to_numpy(), articles["text_hash"].to_numpy()
        with store.incoming(Layout.vector_part(fingerprint, selection, one.name)) as path:
            write_vector_part(path, keys, hashes, vectors.astype(np.float16), wanted)

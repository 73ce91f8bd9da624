"""How well an encoder finds held-out articles by their queries, each among those of its signal."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from actors.embed.towers import ArticleTower, QueryTower
from actors.store.stores import open_store
from actors.train.training_texts import TrainingTexts, write_texts
from retrieval.articles.snapshot import read_snapshot
from retrieval.train.pairs.answers import pair_hashes
from retrieval.train.pairs.pair_sets import query_keys, read_pairs
from retrieval.train.pairs.texts import without
from retrieval.train.ranks import single_ndcg
from schemas.config import Config
from schemas.pair import Span
from schemas.protocols import ArticleText, Query
from schemas.store import Store


class Asked(NamedTuple):
    """Queries of a signal, and the article that answers each, without what the query was made of."""

    signal: str
    queries: list[Query]
    articles: list[ArticleText]


class HeldOut:
    """Held-out pairs of some sets; none of their articles is trained on."""

    def __init__(self, config: Config, pairs: tuple[str, ...], snapshot: str, most: int) -> None:
        """Read the texts of at most so many pairs of each signal, one for an article."""
        store = open_store(config)
        chosen = dict(_chosen(store, pairs, most))
        pmids = np.unique(np.concatenate([np.empty(0, np.int64), *(of["pmid"].to_numpy() for of in chosen.values())]))
        name = f"{snapshot}-{'-'.join(pairs)}-{most}.arrow"
        path = Path(config.cache, "training", name)
        write_texts(store, read_snapshot(store, snapshot), pairs, pmids, path)
        texts = TrainingTexts(path)
        self._asked = []
        for signal, of in chosen.items():
            rows = of.to_pydict()
            queries = [Query(*query) for query in zip(rows["query"], rows["instruction"], strict=True)]
            whole = texts.read(of["pmid"].to_numpy())
            left = [without(text, Span(**drop)) for text, drop in zip(whole, rows["drop"], strict=True)]
            self._asked.append(Asked(signal, queries, left))

    def measure(self, config: Config, threads: int) -> dict[str, NDArray[np.float64]]:
        """Return nDCG@10 of each query by the configured encoder, by signal."""
        queries, articles = QueryTower(config, threads), ArticleTower(config, threads)
        return {
            asked.signal: single_ndcg(queries.encode(asked.queries), articles.encode(asked.articles))
            for asked in self._asked
        }


def _chosen(store: Store, pairs: tuple[str, ...], most: int) -> Iterator[tuple[str, pa.Table]]:
    """Yield each signal with its held-out pairs, of an article that of the lowest hash, and of those the lowest."""
    table = pa.concat_tables(read_pairs(store, name, "held-out") for name in pairs)
    for signal in sorted({*table["signal"].to_pylist()}):
        of = table.filter(pc.equal(table["signal"], signal)).combine_chunks()
        order = np.argsort(pair_hashes(query_keys(of), of["pmid"].to_numpy()), kind="stable")
        _, first = np.unique(of["pmid"].to_numpy()[order], return_index=True)
        yield signal, of.take(pa.array(order[np.sort(first)][:most]))

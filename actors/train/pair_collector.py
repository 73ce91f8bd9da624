"""Articles of the store → pairs of a query and an article that answers it."""

import numpy as np
import pyarrow as pa

from actors.store.stores import open_store
from retrieval.articles.pmids import read_selection, selected
from retrieval.articles.snapshot import Snapshot, alive_rows, check_part, key_groups, open_keys, read_snapshot
from retrieval.files.parquet import read_range
from retrieval.train.pairs.answers import query_hash
from retrieval.train.pairs.pair_sets import pair_table
from retrieval.train.pairs.signals import SIGNAL_COLUMNS, SIGNALS, Source
from retrieval.train.pairs.splits import EqualTexts, held_out
from schemas.arrays import Pmids
from schemas.config import Config
from schemas.layout import Layout
from schemas.pair import Pair, Split
from schemas.store import Store
from schemas.vector import RowRange


class PairCollector:
    """Makes the pairs of ranges of a snapshot's articles."""

    def __init__(self, config: Config, snapshot: str, selection: str, excluded: Pmids) -> None:
        """excluded: articles, sorted, of which none is made, nor of those that have the text of one."""
        self._config, self._store = config, open_store(config)
        self._snapshot = read_snapshot(self._store, snapshot)
        self._pmids = read_selection(self._store, selection)
        self._texts = equal_texts(self._store, self._snapshot)
        self._excluded = self._texts.first(excluded)

    def collect(self, rows: RowRange) -> pa.Table:
        """Return the pairs of a range, in order of its rows, as rows of `PAIR_SCHEMA`."""
        key = Layout.article_part(rows.source)
        with self._store.parquet(key) as file:
            check_part(self._snapshot, rows.source, file, self._store.name(key))
            articles = read_range(file, rows.start, rows.stop, SIGNAL_COLUMNS)
        with open_keys(self._store, self._snapshot.id) as file:
            alive = alive_rows(file, self._snapshot.number(rows.source), rows.start, rows.stop)
        firsts = self._texts.first(articles["pmid"].to_numpy())
        wanted = alive & selected(self._config.selection, self._pmids, articles) & ~np.isin(firsts, self._excluded)
        held = held_out(firsts, self._config.mine.held_out)
        pairs = []
        for row in np.flatnonzero(wanted).tolist():
            source = Source(**articles.slice(row, 1).to_pylist()[0])
            for signal in self._config.mine.signals:
                for one in SIGNALS[signal](source):
                    query_id = f"{query_hash(one.query):016x}"
                    split: Split = "held-out" if held[row] else "train"
                    pairs.append(Pair(query_id, one.query, source.pmid, signal, split, one.drop))
        return pair_table(pairs)


def equal_texts(store: Store, snapshot: Snapshot) -> EqualTexts:
    """Return which articles of a snapshot have the same text. Memory: 60 bytes an article."""
    groups = [*key_groups(store, snapshot, ["pmid", "text_hash"])]
    pmids, hashes = (np.concatenate([group[name].to_numpy() for group in groups]) for name in ("pmid", "text_hash"))
    return EqualTexts(pmids, hashes)

"""Articles of the store → pairs of a query and an article that answers it."""

import numpy as np
import pyarrow as pa

from actors.store.stores import open_store
from retrieval.articles.pmids import read_selection
from retrieval.articles.selected_rows import read_selected
from retrieval.articles.snapshot import read_snapshot
from retrieval.train.pairs.answers import query_hash
from retrieval.train.pairs.equal_texts import EqualTexts
from retrieval.train.pairs.pair_sets import pair_table
from retrieval.train.pairs.signals import SIGNAL_COLUMNS, SIGNALS, Source
from retrieval.train.pairs.splits import held_out
from schemas.arrays import Pmids
from schemas.config import Config
from schemas.pair import Pair, Split
from schemas.vector import RowRange


class PairCollector:
    """Makes the pairs of ranges of a snapshot's articles."""

    def __init__(self, config: Config, snapshot: str, selection: str, equal: EqualTexts, excluded: Pmids) -> None:
        """excluded: articles, sorted, of which none is made, nor of those that have the text of one."""
        self._config, self._store = config, open_store(config)
        self._snapshot = read_snapshot(self._store, snapshot)
        self._pmids = read_selection(self._store, selection)
        self._equal, self._excluded = equal, equal.first(excluded)

    def collect(self, rows: RowRange) -> pa.Table:
        """Return the pairs of a range, in order of its rows, as rows of `PAIR_SCHEMA`."""
        of = self._config.selection
        articles, wanted = read_selected(self._store, self._snapshot, rows, SIGNAL_COLUMNS, of, self._pmids)
        firsts = self._equal.first(articles["pmid"].to_numpy())
        wanted &= ~np.isin(firsts, self._excluded)
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

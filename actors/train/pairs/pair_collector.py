"""Articles of the store → pairs of a query and an article that answers it."""

import numpy as np
import pyarrow as pa

from actors.store.stores import open_store
from retrieval.articles.pmids import find_among, read_selection, selected
from retrieval.articles.selected_rows import read_selected
from retrieval.articles.snapshot import read_snapshot
from retrieval.train.pairs.answers import Hashes, query_hash
from retrieval.train.pairs.equal_texts import EqualTexts
from retrieval.train.pairs.linked_articles import LINKING, LinkedArticles
from retrieval.train.pairs.pair_sets import pair_table
from retrieval.train.pairs.signals import SIGNAL_COLUMNS, SIGNALS, Source, major_topics
from retrieval.train.pairs.splits import held_out
from schemas.arrays import Mask, Pmids
from schemas.config import Config, SelectionConfig
from schemas.pair import Pair
from schemas.vector import RowRange


class PairCollector:
    """Makes the pairs of ranges of a snapshot's articles."""

    def __init__(
        self,
        config: Config,
        snapshot: str,
        selection: str,
        equal: EqualTexts,
        excluded: Pmids,
        linked: LinkedArticles | None = None,
    ) -> None:
        """excluded: articles, sorted, of which none is made, nor of those that have the text of one.

        linked: for `LINKING` signals; without it there are none of them.
        """
        self._config, self._store = config, open_store(config)
        self._snapshot = read_snapshot(self._store, snapshot)
        self._pmids = read_selection(self._store, selection)
        self._equal, self._excluded, self._linked = equal, equal.first(excluded), linked

    def topics(self, rows: RowRange) -> tuple[Pmids, Hashes]:
        """Return the articles of a range that are alive and selected, and 64 bits of their major topics; 0: of none."""
        columns, of = ["pmid", "abstract", "mesh"], self._config.selection
        articles, wanted = read_selected(self._store, self._snapshot, rows, columns, of, self._pmids)
        articles = articles.filter(pa.array(wanted))
        topics = [major_topics(headings) for headings in articles["mesh"].to_pylist()]
        return articles["pmid"].to_numpy(), np.array([query_hash(of) if of else 0 for of in topics], np.uint64)

    def collect(self, rows: RowRange) -> pa.Table:
        """Return the pairs of a range, in order of its rows, as rows of `PAIR_SCHEMA`."""
        everything = SelectionConfig(rule="all")
        articles, alive = read_selected(self._store, self._snapshot, rows, SIGNAL_COLUMNS, everything, None)
        pmids = articles["pmid"].to_numpy()
        chosen = selected(self._config.selection, self._pmids, articles)
        alike = self._linked.alike_of(pmids) if self._linked else {}
        signals = [signal for signal in self._config.mine.signals if self._linked or signal not in LINKING]
        of_others = [signal for signal in signals if signal in LINKING]  # a comment seldom has an abstract
        pairs, made_of = [], []
        for row in np.flatnonzero(alive & ~self._is_excluded(pmids) & (chosen | bool(of_others))).tolist():
            source = Source(**articles.slice(row, 1).to_pylist()[0], alike=alike.get(int(pmids[row])))
            for signal in signals if chosen[row] else of_others:
                for one in SIGNALS[signal](source):
                    query_id, answer = f"{query_hash(one.query):016x}", one.pmid or source.pmid
                    pairs.append(Pair(query_id, one.query, answer, signal, "train", one.drop))
                    made_of.append(source.pmid)
        return self._with_sides(pairs, np.array(made_of, np.int64))

    def _is_excluded(self, pmids: Pmids) -> Mask:
        return np.isin(self._equal.first(pmids), self._excluded)

    def _with_sides(self, pairs: list[Pair], made_of: Pmids) -> pa.Table:
        """Return pairs on the side of their articles, without those that have one on each, or one that is not there."""
        answers = np.array([pair.pmid for pair in pairs], np.int64)
        firsts = self._equal.first(answers), self._equal.first(made_of)
        held, held_too = (held_out(of, self._config.mine.held_out) for of in firsts)
        keep = answers == made_of
        if self._linked:
            among, _ = find_among(self._linked.known, answers)
            there = np.zeros(len(answers), bool)
            there[among] = True
            keep |= there & (firsts[0] != firsts[1]) & (held == held_too) & ~self._is_excluded(answers)
        return pair_table(
            pair._replace(split="held-out" if side else "train")
            for pair, side, kept in zip(pairs, held.tolist(), keep.tolist(), strict=True)
            if kept
        )

"""Pairs → the same with the articles near their queries, and with negatives from further down the ranking."""

from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from actors.embed.towers import QueryTower
from actors.search.index_searcher import IndexSearcher
from actors.search.rerankers import CrossEncoderReranker, MaxSimReranker, load_reranker
from actors.store.stores import open_store
from retrieval.train.pairs.answers import Answers
from retrieval.train.pairs.equal_texts import EqualTexts
from retrieval.train.pairs.negatives import Mined, Ranking, mined
from retrieval.train.pairs.splits import held_out
from retrieval.train.pairs.texts import without
from schemas.arrays import Floats, Pmids
from schemas.config import Config
from schemas.manifest import IndexVersion
from schemas.pair import Span
from schemas.protocols import ArticleText, Match, Query, Scoring
from schemas.training_report import Example

AT_A_TIME = 256
"""Queries whose rankings are in memory."""
LIST = pa.list_(pa.int64())
EXAMPLES = 10
"""To read."""


class MineCounts(NamedTuple):
    """Of some pairs; two of them add."""

    ranked: int = 0
    looked_at: int = 0
    answers: int = 0
    too_near: int = 0
    ranks: tuple[int, ...] = ()
    """How many positives were found at each of the ranks, from 0."""
    examples: tuple[Example, ...] = ()

    def plus(self, other: "MineCounts") -> "MineCounts":
        ranks = tuple(a + b for a, b in zip_longest(self.ranks, other.ranks, fillvalue=0))
        return MineCounts(
            self.ranked + other.ranked,
            self.looked_at + other.looked_at,
            self.answers + other.answers,
            self.too_near + other.too_near,
            ranks,
            (*self.examples, *other.examples)[:EXAMPLES],
        )


class PairMiner:
    """Ranks the articles of a version for queries."""

    def __init__(
        self,
        config: Config,
        version: IndexVersion,
        answers: Answers,
        equal: EqualTexts,
        excluded: Pmids,
        threads: int,
    ) -> None:
        """excluded: articles that are not to be negatives, nor are those that have the text of one."""
        self._config = config
        self._tower, self._searcher = QueryTower(config, threads), IndexSearcher(open_store(config), version)
        self._answers, self._equal, self._excluded = answers, equal, equal.first(excluded)
        self._reranker = load_reranker(config) if config.mine.teacher else None

    def mine(self, pairs: pa.Table) -> tuple[pa.Table, MineCounts]:
        """Return the pairs with what was found for each, and what is told of it."""
        found: list[Mined] = []
        for start in range(0, len(pairs), AT_A_TIME):
            found += self._mined(pairs.slice(start, AT_A_TIME))
        counts = MineCounts(
            ranked=len(found),
            looked_at=sum(one.looked_at for one in found),
            answers=sum(one.answers for one in found),
            too_near=sum(one.too_near for one in found),
            ranks=tuple(np.bincount([one.rank for one in found if one.rank >= 0]).tolist()),
        )
        for name in ("near", "negatives"):
            given = pairs[name].to_pylist()  # a file may have some
            column = pa.array([old or getattr(one, name) for old, one in zip(given, found, strict=True)], LIST)
            pairs = pairs.set_column(pairs.schema.get_field_index(name), pairs.schema.field(name), column)
        if self._reranker:
            batches = [pairs.slice(start, AT_A_TIME) for start in range(0, len(pairs), AT_A_TIME)]
            scores = [of_pair for batch in batches for of_pair in self._taught(self._reranker, batch)]
            at = pairs.schema.get_field_index("scores")
            pairs = pairs.set_column(at, pairs.schema.field(at), pa.array(scores, pairs.schema.field(at).type))
        return pairs, counts._replace(examples=self._examples(pairs))

    def _mined(self, pairs: pa.Table) -> list[Mined]:
        queries = [Query(*of) for of in zip(pairs["query"].to_pylist(), pairs["instruction"].to_pylist(), strict=True)]
        found = []
        rankings = self._searcher.candidates(self._tower.encode(queries), self._config.mine.depth)
        keys = [pairs[name].to_pylist() for name in ("query_id", "pmid", "split")]
        for query, pmid, split, ranking in zip(*keys, rankings, strict=True):
            pmids, scores = self._kept(ranking.pmids, ranking.scores)
            seed = (int(query, 16) ^ pmid) & 0xFFFFFFFFFFFFFFFF
            positives = self._equal.first(self._answers.of(int(query, 16), pmid))
            firsts = self._equal.first(pmids)
            barred = held_out(firsts, self._config.mine.held_out) if split == "train" else np.zeros(len(firsts), bool)
            ranked = Ranking(pmids, firsts, scores, barred)
            found.append(mined(ranked, positives, self._config.mine, seed ^ self._config.mine.seed))
        return found

    def _taught(self, reranker: MaxSimReranker | CrossEncoderReranker, pairs: pa.Table) -> list[list[float]]:
        """Return the re-ranker's own scores of each pair's positive and negatives; none where the version lacks one."""
        rows = pairs.to_pylist()
        found = [self._searcher.articles([str(key) for key in (row["pmid"], *row["negatives"])]) for row in rows]
        known = [number for number, of in enumerate(found) if all(of)]
        scorings = []
        for number in known:
            row, (positive, *negatives) = rows[number], [one.article for one in found[number] if one]
            left = without(ArticleText(positive.title, positive.abstract), Span(**row["drop"]))
            articles = [positive._replace(title=left.title, abstract=left.abstract), *negatives]
            query = Query(row["query"], row["instruction"])
            scorings.append(Scoring(query, [Match(0, article) for article in articles]))
        scores: list[list[float]] = [[] for _ in rows]
        for number, of_pair in zip(known, reranker.scores(scorings), strict=True):
            scores[number] = [score.raw for score in of_pair]
        return scores

    def _examples(self, pairs: pa.Table) -> tuple[Example, ...]:
        """Return the first pairs that have negatives, with the titles of their articles."""
        rows = [row for row in pairs.slice(0, 2 * EXAMPLES).to_pylist() if row["negatives"]][:EXAMPLES]
        ids = [(str(row["pmid"]), str(row["negatives"][0])) for row in rows]
        titles = [[one.article.title if one else "" for one in self._searcher.articles(of)] for of in ids]
        return tuple(
            Example(signal=row["signal"], query=row["query"], positive=positive, negative=negative)
            for row, (positive, negative) in zip(rows, titles, strict=True)
        )

    def _kept(self, pmids: Pmids, scores: Floats) -> tuple[Pmids, Floats]:
        """Return a ranking without what is excluded, as deep as it is asked for."""
        depth = self._config.mine.depth
        keep = ~np.isin(self._equal.first(pmids), self._excluded)
        return pmids[keep][:depth], scores[keep][:depth]

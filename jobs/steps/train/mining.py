"""The Ray tasks that make a set of pairs: articles → pairs → the same with what a version ranks for their queries.

A piece is what one range of rows of an article part gives. A run that was killed makes all of them again.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import ray
from ray.util import ActorPool

from actors.fetch.stored_models import weight_bytes
from actors.store.stores import open_store
from actors.train.pairs.pair_collector import PairCollector
from actors.train.pairs.pair_miner import MineCounts, PairMiner
from jobs.common.cluster.placement import free_cores, nodes_of, place
from jobs.common.console import Progress
from retrieval.articles.snapshot import Snapshot
from retrieval.operate import memory
from retrieval.train.pairs.answers import Answers, drawn, pair_hashes
from retrieval.train.pairs.equal_texts import EqualTexts
from retrieval.train.pairs.linked_articles import LINKING, LinkedArticles
from retrieval.train.pairs.pair_sets import pair_counts, query_keys, write_pairs
from schemas.arrays import Pmids
from schemas.config import Config
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.pair import PairSet
from schemas.vector import RowRange

PIECE = 4096
"""Pairs that are given, of a piece."""


class Wanted(NamedTuple):
    """Which pairs are made."""

    pairs: str
    """The id of the set."""
    snapshot: str
    selection: str
    equal: EqualTexts
    """Of the snapshot."""
    excluded: Pmids
    """Articles, sorted, that are not in any pair."""


class Chosen(NamedTuple):
    """What is known once all pairs are."""

    answers: Answers
    highest: int
    """The hash of a pair that is kept is not above it."""


def equal_texts(config: Config, snapshot: Snapshot) -> EqualTexts:
    """Return which articles of a snapshot have the same text; looked for on one node."""
    held = memory.of_checks(snapshot.info.counts.alive)
    of = ray.remote(lambda: EqualTexts.of(open_store(config), snapshot))
    found: EqualTexts = ray.get(of.options(**place(config.placement, "tokenise", held)).remote())
    return found


@ray.remote(num_returns=2)
def collect(
    config: Config, wanted: Wanted, linked: LinkedArticles | None, rows: RowRange
) -> tuple[pa.Table, tuple[Any, Pmids]]:
    """Return the pairs of a range of articles; and of each the hash of its query, and its positive."""
    pairs = _collector(config, wanted, linked).collect(rows)
    return pairs, (query_keys(pairs), pairs["pmid"].to_numpy())


@ray.remote
def topics(config: Config, wanted: Wanted, rows: RowRange) -> tuple[Pmids, Any]:
    """Return what `LinkedArticles` wants of a range of articles."""
    return _collector(config, wanted, None).topics(rows)


@ray.remote
def link(*pieces: tuple[Pmids, Any]) -> LinkedArticles:
    """Look at all articles: which of them are alike, and which there are."""
    return LinkedArticles.of(pieces)


def _collector(config: Config, wanted: Wanted, linked: LinkedArticles | None) -> PairCollector:
    return PairCollector(config, wanted.snapshot, wanted.selection, wanted.equal, wanted.excluded, linked)


@ray.remote
def choose(limit: int, *keys: tuple[Any, Pmids]) -> Chosen:
    """Look at all pairs: which queries have several positives, and which pairs are kept."""
    queries, positives = (np.concatenate([key[i] for key in keys]) for i in (0, 1))
    hashes = pair_hashes(queries, positives)
    kept = hashes[drawn(hashes, limit)]
    return Chosen(Answers(queries, positives), int(kept.max()) if len(kept) else 0)


class Miner:
    """Makes pieces of a set."""

    def __init__(
        self, config: Config, wanted: Wanted, version: IndexVersion | None, chosen: Chosen, threads: int
    ) -> None:
        self._store, self._wanted, self._highest = open_store(config), wanted, np.uint64(chosen.highest)
        self._miner = (
            PairMiner(config, version, chosen.answers, wanted.equal, wanted.excluded, threads)
            if version and config.mine.depth
            else None
        )

    def write(self, number: int, pairs: pa.Table) -> MineCounts:
        """Write piece `number` of these pairs, those that are kept."""
        hashes = pair_hashes(query_keys(pairs), pairs["pmid"].to_numpy())
        pairs = pairs.filter(pa.array(hashes <= self._highest)).combine_chunks()
        counts = MineCounts()
        if self._miner:
            pairs, counts = self._miner.mine(pairs)
        with self._store.incoming(piece_key(self._wanted.pairs, number)) as path:
            pq.write_table(pairs, path, compression="zstd", write_page_checksum=True)
        return counts


@ray.remote
def join(config: Config, wanted: Wanted, pieces: int, about: PairSet) -> PairSet:
    """Write the set, of all its pieces in their order; return what it says of itself."""
    store = open_store(config)
    keys = [piece_key(wanted.pairs, number) for number in range(pieces)]

    def tables() -> Any:
        for key in keys:
            with store.parquet(key) as file:
                yield file.read()

    counted = about.model_copy(update={"counts": pair_counts(tables())})
    with store.incoming(Layout.pairs(wanted.pairs)) as path:
        write_pairs(path, tables(), counted)
    return counted


def piece_key(pairs: str, number: int) -> str:
    """Return where a piece lies until the set is whole."""
    return Layout.pairs_piece(pairs, f"{number:05d}")


def made(
    config: Config, wanted: Wanted, version: IndexVersion | None, of: Sequence[RowRange] | pa.Table, about: PairSet
) -> tuple[PairSet, MineCounts]:
    """Make a set of pairs, a piece of each range of articles, or of pairs that are given.

    Return what it says of itself, and what is told of it.
    """
    everyone: Any = ray.put(wanted)
    reading = place(config.placement, "tokenise", memory.of_checks(0) + memory.PROCESS)
    collected: list[Any]
    if isinstance(of, pa.Table):
        pieces = [of.slice(start, PIECE) for start in range(0, max(1, len(of)), PIECE)]
        collected = [(ray.put(one), ray.put((query_keys(one), one["pmid"].to_numpy()))) for one in pieces]
    else:
        linked: Any = None
        if {*LINKING} & {*config.mine.signals}:
            linked = link.options(**reading).remote(
                *(topics.options(**reading).remote(config, everyone, r) for r in of)
            )
        collected = [collect.options(**reading).remote(config, everyone, linked, one) for one in of]
    chosen = choose.options(**reading).remote(config.mine.limit, *(keys for _, keys in collected))
    ray.wait([chosen])
    progress = Progress("mine", len(collected), "pieces")
    threads = free_cores(config, "encode")
    of_miner = memory.PROCESS
    if version:  # whose lists are mapped: with less memory than they have they are read again and again
        of_miner = memory.of_engine(weight_bytes(config.encoder.query, config)) + memory.of_searcher(version.rows, 0)
    options = place(config.placement, "encode", of_miner, cores=1, gpus=config.embed.num_gpus)
    actor = ray.remote(Miner).options(**options)
    count = min(len(collected), max(1, nodes_of(config.placement.encode)))
    miners: list[Any] = [actor.remote(config, everyone, version, chosen, threads) for _ in range(count)]
    counts = MineCounts()
    numbered = [(number, pairs) for number, (pairs, _) in enumerate(collected)]
    for of_piece in ActorPool(miners).map_unordered(lambda miner, one: miner.write.remote(*one), numbered):
        counts = counts.plus(of_piece)
        progress.add(1)
    progress.finish()
    for miner in miners:
        ray.kill(miner)  # at once: what follows may have no other core
    whole = ray.get(join.options(**reading).remote(config, wanted, len(collected), about))
    return whole, counts

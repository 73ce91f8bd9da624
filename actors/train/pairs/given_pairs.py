"""Pairs that somebody gave → rows of a set: articles that the store has, and texts that the set brings along."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from actors.train.training_texts import TEXT_SCHEMA
from retrieval.articles.article import text_hash
from retrieval.articles.snapshot import Snapshot, key_groups
from retrieval.train.pairs.answers import query_hash
from retrieval.train.pairs.equal_texts import EqualTexts
from retrieval.train.pairs.pair_files import GivenPair, GivenPairs, Texts
from retrieval.train.pairs.pair_sets import pair_table
from retrieval.train.pairs.splits import held_out
from schemas.arrays import Pmids
from schemas.pair import Pair
from schemas.store import Store

UNKNOWN = "an article that neither the store nor the file has"


def given_table(
    store: Store, snapshot: Snapshot, found: GivenPairs, equal: EqualTexts, excluded: Pmids, share: float
) -> pa.Table:
    """Return the pairs as rows of `PAIR_SCHEMA`; what cannot be one is counted in `found.skipped`.

    excluded: articles, sorted, that are in none, nor are those of the same text. share: of what is held out.
    """
    named = np.unique([key for pair in found.pairs for key in (pair.positive, *pair.negatives)]).astype(np.int64)
    alive, same = _alive(store, snapshot, named, found.texts)
    if same:  # what is held out or excluded is known by its PMID
        found.pairs = [_renamed(pair, same) for pair in found.pairs]
        named = np.unique([same.get(key, key) for key in named.tolist()])
        alive |= {*same.values()}
    barred = {*named[np.isin(equal.first(named), equal.first(excluded))].tolist()}
    first = dict(zip(named.tolist(), equal.first(named).tolist(), strict=True))
    known = (alive | found.texts.keys()) - barred
    held = dict(zip(named.tolist(), held_out(np.array([*first.values()], np.int64), share).tolist(), strict=True))
    pairs = []
    for given in found.pairs:
        if given.positive not in known:
            found.skip("an article that is excluded" if given.positive in barred else UNKNOWN)
            continue
        side = held[given.positive]
        kept = [n for n, key in enumerate(given.negatives) if key in known and held[key] <= side]
        pairs.append(
            Pair(
                query_id=f"{query_hash(given.query):016x}",
                query=given.query,
                pmid=given.positive,
                signal="file",
                split="held-out" if side else "train",
                instruction=given.instruction,
                weight=given.weight,
                negatives=tuple(given.negatives[n] for n in kept),
                scores=tuple(given.scores[n] for n in (0, *(1 + n for n in kept))) if given.scores and kept else (),
            )
        )
    for key in alive | same.keys():
        found.texts.pop(key, None)  # the store's is what is indexed
    return pair_table(pairs)


def _alive(store: Store, snapshot: Snapshot, named: Pmids, texts: Texts) -> tuple[set[int], dict[int, int]]:
    """Return which of the articles the snapshot has, and of texts that it has not by their keys the article of each."""
    keys = defaultdict[int, list[int]](list)
    for key, text in texts.items():
        keys[text_hash(*text)].append(key)
    wanted, alive, same = np.array([*keys], np.uint64), set[int](), dict[int, int]()
    for group in key_groups(store, snapshot, ["pmid", "text_hash"]):
        pmids, of = group["pmid"].to_numpy(), group["text_hash"].to_numpy()
        alive.update(pmids[np.isin(pmids, named)].tolist())
        known = np.isin(of, wanted)
        for pmid, hashed in zip(pmids[known].tolist(), of[known].tolist(), strict=True):
            same |= {key: min(pmid, same.get(key, pmid)) for key in keys[hashed]}
    return alive, {key: pmid for key, pmid in same.items() if key not in alive}


def _renamed(pair: GivenPair, same: Mapping[int, int]) -> GivenPair:
    return pair._replace(
        positive=same.get(pair.positive, pair.positive), negatives=tuple(same.get(key, key) for key in pair.negatives)
    )


def write_given_texts(path: Path, texts: Texts) -> None:
    """Write the texts that a set brings along."""
    rows = [{"pmid": key, "title": text.title, "abstract": text.abstract} for key, text in sorted(texts.items())]
    pq.write_table(pa.Table.from_pylist(rows, TEXT_SCHEMA), path, compression="zstd", write_page_checksum=True)

"""A store of made articles with a set of pairs of them."""

from pathlib import Path

import numpy as np

from actors.store.local_store import LocalStore
from retrieval.train.pairs.answers import query_hash
from retrieval.train.pairs.pair_sets import pair_table, write_pairs
from schemas.article import Article
from schemas.config import Config
from schemas.layout import Layout
from schemas.pair import Pair, PairSet, Split
from tests.support.models import tiny
from tests.support.stores.store_files import add_part, add_snapshot, config

SOURCE = "pubmed26n0001"


def articles(count: int = 40) -> list[Article]:
    """Articles of a few words; each fourth has the text of the one before it."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(tiny.WORDS, 30)) for _ in range(count)]
    return [
        Article(pmid, title=f"Asthma of dose {pmid // 4}", abstract=texts[pmid - 1 - (pmid % 4 == 0)])
        for pmid in range(1, count + 1)
    ]


def pairs(count: int = 40) -> list[Pair]:
    """A pair of each article; the last tenth is held out."""
    rng = np.random.default_rng(1)
    made = []
    for pmid in range(1, count + 1):
        query = " ".join(rng.choice(tiny.WORDS, 5))
        kept = int(0.9 * count)  # what is held out is no negative
        others = tuple(int(other) for other in rng.permutation(kept)[:6] + 1 if other + 1 != pmid)
        split: Split = "held-out" if pmid > 0.9 * count else "train"
        made.append(
            Pair(f"{query_hash(query):016x}", query, pmid, "title", split, near=others[:4], negatives=others[2:5])
        )
    return made


def store_of(folder: Path, model: Path) -> tuple[Config, str]:
    """The configuration of a store with the articles and the set `made`; the id of their snapshot."""
    store = LocalStore(str(folder / "store"))
    snapshot = add_snapshot(store, [add_part(store, SOURCE, *articles())])
    with store.incoming(Layout.pairs("made")) as path:
        write_pairs(path, [pair_table(pairs())], PairSet(snapshot=snapshot.id, version=None, inputs={}, counts={}))
    values = {"encoder": tiny.spec(model), "cache": str(folder / "cache"), "selection": {"rule": "all"}}
    return config(folder / "store", **values), snapshot.id

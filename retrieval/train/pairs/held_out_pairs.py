"""Which held-out pairs a model is judged by: those by which a run decides, and others by which it is measured."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retrieval.articles.pmids import mixed
from retrieval.train.pairs.answers import pair_hashes
from retrieval.train.pairs.pair_sets import query_keys
from schemas.errors import InputError


def judged_by(held_out: pa.Table, most: int, *, decides: bool) -> dict[str, pa.Table]:
    """Return by signal at most so many pairs, one for an article: always the same of the same pairs.

    decides: those of the half of the articles by which a run chooses its state and its soup; else of the other half.

    Raises:
        InputError: none decides.
    """
    pmids = held_out["pmid"].to_numpy()
    half = held_out.filter(pa.array((mixed(pmids) & np.uint64(1)) == decides))
    if decides and not len(half):
        raise InputError(
            "no pair is held out by which the run could decide; mine with a larger mine.held_out, or set "
            "evaluate_every = 0 and soup to a number"
        )
    found = {}
    for signal in sorted({*half["signal"].to_pylist()}):
        of = half.filter(pc.equal(half["signal"], signal)).combine_chunks()
        hashes = pair_hashes(query_keys(of), of["pmid"].to_numpy())
        order = np.argsort(hashes, kind="stable")
        _, first = np.unique(of["pmid"].to_numpy()[order], return_index=True)
        found[signal] = of.take(pa.array(order[np.sort(first)][:most]))
    return found

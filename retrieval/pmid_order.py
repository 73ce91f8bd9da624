"""The rows of a segment in order of PMID, for looking PMIDs up."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from retrieval.topk import Pmids

SORTED_ROWS = 2**21
"""Rows that are sorted at a time, about."""
SAMPLED = 64
"""Of so many PMIDs one is looked at to cut them into ranges."""


def write_order(pmids: Path, target: Path) -> None:
    """Write the row numbers (uint32) of a file of PMIDs (int64) in order of PMID, equal ones in order of row.

    Rows are sorted in ranges of PMIDs, one pass over the file for each. Memory: 32 bytes a row of a range, 70 MB,
    whatever the size of the file; it is read, not mapped.
    """
    sample = [block[::SAMPLED] for _, block in _blocks(pmids)]
    step = SORTED_ROWS // SAMPLED
    bounds = np.sort(np.concatenate([np.empty(0, np.int64), *sample]))[step::step].tolist()
    with target.open("wb") as out:
        for low, high in itertools.pairwise([-np.inf, *bounds, np.inf]):
            keys, rows = [], []
            for start, block in _blocks(pmids):
                [inside] = np.nonzero((block >= low) & (block < high))
                keys.append(block[inside])
                rows.append((start + inside).astype(np.uint32))
            if keys:
                order = np.argsort(np.concatenate(keys), kind="stable")
                out.write(np.concatenate(rows)[order].data)


def _blocks(pmids: Path) -> Iterator[tuple[int, Pmids]]:
    """Yield the blocks of a file of PMIDs, and the first row of each."""
    for start in range(0, pmids.stat().st_size // 8, SORTED_ROWS):
        yield start, np.fromfile(pmids, np.int64, SORTED_ROWS, offset=8 * start)

"""Which articles the demo and verify take: those of a shipped list, and others of the baseline."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.common.config import ROOT
from jobs.steps.demo import demo_nights
from retrieval.articles.pmids import parse_pmids
from retrieval.files.atomic import write_bytes
from retrieval.ingest.sources import source_name
from schemas.arrays import Pmids
from schemas.layout import Layout

DEMO = ROOT / "infra" / "demo"
CHOSEN = DEMO / "selection.txt"
CHOSEN_COUNT = 2000
SEED = 0


def shipped() -> Pmids:
    """Return the PMIDs of the shipped list, in its order."""
    return parse_pmids(CHOSEN.read_text(), str(CHOSEN))


def choose(layout: Layout, count: int) -> list[int]:
    """Return `count` PMIDs: those that the nights change, then shipped ones, then others of the baseline.

    The shipped ones, and the others, which have an abstract, are taken in a fixed random order. With more than the
    shipped ones the baseline is to be ingested.
    """
    rng = np.random.default_rng(SEED)
    changed = np.array(demo_nights.CHANGED)
    pmids = np.concatenate([changed, rng.permutation(np.setdiff1d(shipped(), changed))])
    if count > len(pmids):
        part = layout.article_part(source_name(demo_nights.BASELINE))
        with_abstract = pq.read_table(part, columns=["pmid"], filters=pc.field("abstract") != "")["pmid"]
        pmids = np.concatenate([pmids, rng.permutation(np.setdiff1d(with_abstract, pmids))])
    return sorted(pmids[:count].tolist())


def write_pmids(file: Path, pmids: Sequence[int]) -> None:
    """Write a selection's list."""
    write_bytes(str(file), "".join(f"{pmid}\n" for pmid in pmids).encode())

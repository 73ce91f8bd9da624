"""A version built by hand in a folder: random vectors, articles whose title names their PMID."""

import hashlib
from pathlib import Path

import numpy as np

from retrieval.quantizer import Quantizer, train_quantizer
from retrieval.storage import write_bytes
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from tests.unit.actors.seams import VERSION
from tests.unit.retrieval import corpus

ROWS = 400
PMIDS = np.random.default_rng(0).permutation(10_000)[:ROWS]


def write_version(layout: Layout, *, nlist: int = 8, nprobe: int = 2, candidates: int = 20) -> IndexVersion:
    """Write a quantizer and two segments; return the version of them."""
    rows = corpus.vectors(0, ROWS)
    content, record = train_quantizer(
        rows.astype(np.float32), f"RR{corpus.DIMENSION},IVF{nlist},RaBitQ", metric="l2", seed=0
    )
    assert record.sha256 == hashlib.sha256(content).hexdigest()
    write_bytes(layout.quantizer(record.sha256), content)
    quantizer = Quantizer(content)
    segments = [
        corpus.build(Path(layout.segment(f"s{i}")), quantizer, rows[i::2], PMIDS[i::2]).manifest for i in range(2)
    ]
    return VERSION.model_copy(
        update={
            "quantizer": record.sha256,
            "nprobe": nprobe,
            "candidates": candidates,
            "segments": tuple(segments),
            "articles": ROWS,
        }
    )

"""A version built by hand in a folder: random vectors, articles whose title names their PMID."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from actors.store.local_store import LocalStore
from retrieval.evaluate.truth import find_truth, write_truth
from retrieval.files.checked import write_bytes
from retrieval.index.centroids.quantizer import Quantizer
from retrieval.index.centroids.quantizer_training import train_quantizer
from retrieval.rows.row_numbers import write_tombstones
from schemas.arrays import Pmids, Rows
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from tests.support.service.seams import VERSION
from tests.support.stores import corpus

ROWS = 400
PMIDS = np.random.default_rng(0).permutation(10_000)[:ROWS]


class Piece(NamedTuple):
    """A segment to be: its rows, which of them are dead, and their records."""

    rows: Rows
    pmids: Pmids
    dead: NDArray[np.bool_]
    records: pa.Table


def write_pieces(
    store: LocalStore, content: bytes, pieces: Sequence[Piece], *, nprobe: int, candidates: int
) -> IndexVersion:
    """Write a quantizer, and one segment with its tombstones for each piece that has rows."""
    sha256 = hashlib.sha256(content).hexdigest()
    write_bytes(store, Layout.quantizer(sha256), content)
    segments, tombstones = [], {}
    for number, piece in enumerate(pieces):
        if len(piece.rows):
            folder = store.path(Layout.segment(f"s{number}"))
            segment = corpus.build(folder, Quantizer(content), piece.rows, piece.pmids, piece.records)
            dead = np.flatnonzero(np.isin(segment.pmids, piece.pmids[piece.dead]))
            segments.append(segment.manifest)
            tombstones[f"s{number}"] = write_tombstones(store, dead)
    return VERSION.model_copy(
        update={
            "quantizer": sha256,
            "nprobe": nprobe,
            "candidates": candidates,
            "segments": tuple(segments),
            "tombstones": tombstones,
            "articles": sum(int((~piece.dead).sum()) for piece in pieces),
        }
    )


def write_version(store: LocalStore, *, nlist: int = 8, nprobe: int = 2, candidates: int = 20) -> IndexVersion:
    """Write a quantizer and two segments; return the version of them."""
    rows = corpus.vectors(0, ROWS)
    content, record = train_quantizer(rows, f"RR{corpus.DIMENSION},IVF{nlist},RaBitQ", metric="l2", seed=0)
    assert record.sha256 == hashlib.sha256(content).hexdigest()
    write_bytes(store, Layout.quantizer(record.sha256), content)
    quantizer = Quantizer(content)
    opened = [corpus.build(store.path(Layout.segment(f"s{i}")), quantizer, rows[i::2], PMIDS[i::2]) for i in range(2)]
    segments, truth = [segment.manifest for segment in opened], find_truth(corpus.queries(1, 2), opened)
    return VERSION.model_copy(
        update={
            "quantizer": record.sha256,
            "nprobe": nprobe,
            "candidates": candidates,
            "segments": tuple(segments),
            "articles": ROWS,
            "checks": VERSION.checks.model_copy(update={"truth": write_truth(store, truth)}),
        }
    )

"""Small made corpora, and segments built from them, for the tests of the index."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from actors.store.local_store import LocalStore
from retrieval.index.centroids.quantizer import Quantizer
from retrieval.index.centroids.quantizer_training import train_quantizer
from retrieval.index.segment import OpenSegment, write_segment
from retrieval.index.segment_build import group_rows, merged_format, merged_groups, merged_sizes
from retrieval.rows.records import record_schema
from schemas.arrays import Floats, Pmids, RowNumbers, Rows
from schemas.formats import NEWEST
from schemas.manifest import Segment

DIMENSION = 16

TYPES = [
    *(
        (factory, metric)
        for factory in ("RR16,IVF16,RaBitQ", "IVF16,SQ8", "IVF16,Flat")
        for metric in ("l2", "inner_product")
    ),
    ("IVF16,RaBitQ2", "l2"),
    ("RR16,IVF16,RaBitQ2", "inner_product"),
    ("RR16,IVF16,RaBitQ3", "l2"),
    ("IVF16,RaBitQ4", "inner_product"),
    ("RR16,IVF16,PQ4x4np", "l2"),
    ("IVF16,PQ4x4", "inner_product"),
    ("IVF32_HNSW32,RaBitQ", "l2"),
    ("RR16,IVF32_HNSW32,PQ4x4", "inner_product"),
]
"""Every index type offered. Those for inner products are tested with raw vectors."""


def vectors(seed: int, count: int, *, normalize: bool = True) -> Rows:
    """Clustered vectors; without `normalize` with a common mean and spread norms, as raw inner-product models have."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((8, DIMENSION))
    x = centres[rng.integers(0, 8, count)] + 0.4 * rng.standard_normal((count, DIMENSION))
    if normalize:
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    else:
        x = (x + 1) * rng.uniform(0.5, 2, (count, 1))
    return x.astype(np.float16)


def articles(pmids: Pmids) -> pa.Table:
    """One record per PMID, whose title names it."""
    schema = record_schema(NEWEST)
    columns = {
        field.name: pa.array([None] * len(pmids), field.type)
        if field.nullable
        else pa.array([_default(field.type)] * len(pmids), field.type)
        for field in schema
    }
    columns["pmid"] = pa.array(pmids)
    columns["title"] = pa.array([f"Title {p}" for p in pmids])
    columns["doi"] = pa.array([f"10.1000/{p}" for p in pmids])
    columns["pmcid"] = pa.array([f"PMC{p}" for p in pmids])
    columns["authors"] = pa.array([["Lovelace AK", f"Author {p % 9}"] for p in pmids])
    return pa.table(columns, schema=schema)


def varied(pmids: Pmids, seed: int) -> pa.Table:
    """Records of random years, none among them, languages, retractions, authors, and titles and DOIs that repeat."""
    rng, table = np.random.default_rng(seed), articles(pmids)
    years = [None if year == 1990 else int(year) for year in rng.integers(1990, 2000, len(pmids))]
    languages = [(["eng"], ["eng", "ger"], ["fre"])[i] for i in rng.choice(3, len(pmids), p=[0.7, 0.2, 0.1])]
    retracted = (rng.random(len(pmids)) < 0.2).tolist()
    columns = {
        "year": years,
        "languages": languages,
        "retracted": retracted,
        "title": [
            ("", "Editorial.", f"Title {pmid}")[i]
            for pmid, i in zip(pmids, rng.integers(0, 3, len(pmids)), strict=True)
        ],
        "doi": [
            (None, "10.1000/same", f"10.1000/{p}")[i]
            for p, i in zip(pmids, rng.integers(0, 3, len(pmids)), strict=True)
        ],
        "authors": [[f"Author {i}" for i in range(count)] for count in rng.integers(0, 4, len(pmids))],
    }
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(name), pa.array(values, table.schema.field(name).type))
    return table


def _default(kind: pa.DataType) -> object:
    return [] if pa.types.is_list(kind) else "" if pa.types.is_string(kind) else False if kind == pa.bool_() else 0


def quantizer(factory: str, sample: Rows, metric: str = "l2") -> Quantizer:
    """Train one."""
    content, _ = train_quantizer(sample, factory, metric=metric, seed=0)
    return Quantizer(content)


def build(
    folder: Path,
    quantizer: Quantizer,
    rows: Rows,
    pmids: Pmids,
    records: pa.Table | None = None,
    format: int = NEWEST,
) -> OpenSegment:
    """Build one segment as one worker does, of `records` or of plain ones."""
    sizes, groups = group_rows(quantizer, rows, pmids, articles(pmids) if records is None else records)
    folder.parent.mkdir(parents=True, exist_ok=True)
    name = folder.name
    manifest = write_segment(folder, groups, sizes, segment=name, shard=0, quantizer=quantizer, format=format)
    return opened(folder, manifest, quantizer)


def opened(folder: Path, manifest: Segment, quantizer: Quantizer, dead: RowNumbers | None = None) -> OpenSegment:
    """Open the segment in a folder."""
    return OpenSegment(LocalStore(str(folder.parent)), folder.name, manifest, quantizer, dead)


def merge(folder: Path, quantizer: Quantizer, segments: Sequence[OpenSegment]) -> OpenSegment:
    """Merge segments as the index job does."""
    manifest = write_segment(
        folder,
        merged_groups(segments),
        merged_sizes(segments),
        segment=folder.name,
        shard=0,
        quantizer=quantizer,
        format=merged_format(segments),
    )
    return opened(folder, manifest, quantizer)


def queries(seed: int, count: int) -> Floats:
    """Query vectors from the same clusters."""
    return vectors(seed, count).astype(np.float32)

"""A source file of articles of a tiny model's words."""

import random
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.models import tiny


def write_source(folder: Path, name: str, pmids: Iterable[int]) -> None:
    """Write one; another name gives other texts."""
    rng = random.Random(name)
    rows = [(pmid, *(" ".join(rng.choices(tiny.WORDS, k=8)) for _ in "ta")) for pmid in pmids]
    columns = dict(zip(("pmid", "title", "abstract"), map(list, zip(*rows, strict=True)), strict=True))
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), folder / f"{name}.parquet")

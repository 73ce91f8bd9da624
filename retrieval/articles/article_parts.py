"""Article parts: the articles and deletions of one source file, in Parquet."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from retrieval.articles.article import Rejects
from retrieval.files.atomic import atomic_path
from retrieval.files.parquet import refusing, regrouped, said_by
from schemas.article import ARTICLE_SCHEMA
from schemas.snapshot import PartRef

ROW_GROUP = 8192
"""Rows of an article part per Parquet row group: what is read at least to read a range."""
PART_KEY = b"pubray.part"
"""Parquet metadata: an `ArticlePart` in JSON."""


class ArticlePart(NamedTuple):
    """What the footer of an article part says."""

    ref: PartRef
    source_bytes: int
    """Size of the source file when it was read."""
    rejects: Rejects


def write_article_part(
    path: str, batches: Iterable[pa.RecordBatch], source_bytes: int, rejects: Rejects
) -> ArticlePart:
    """Write the records of one source file; memory is bounded by one row group.

    rejects: is complete when the last batch has been read. The digest is over keys and record hashes: it changes when
    any record does.
    """
    digest, rows, deletions = hashlib.sha256(), 0, 0
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, ARTICLE_SCHEMA, compression="zstd", write_page_checksum=True) as writer,
    ):
        for table in regrouped(batches, ROW_GROUP):
            for name in ("pmid", "deleted", "unusable", "record_hash"):
                digest.update(table[name].combine_chunks().to_numpy(zero_copy_only=False).tobytes())
            writer.write_table(table, row_group_size=ROW_GROUP)
            rows += len(table)
            deletions += pc.sum(table["deleted"]).as_py()
        ref = PartRef(Path(path).stem, digest.hexdigest()[:16], rows, deletions)
        facts = {"ref": ref, "source_bytes": source_bytes, "rejects": asdict(rejects)}
        writer.add_key_value_metadata({PART_KEY: json.dumps(facts).encode()})
    return ArticlePart(ref, source_bytes, rejects)


def read_article_part(path: Path) -> ArticlePart:
    """Read the footer of an article part.

    Raises:
        IntegrityError: the file is not an article part, or not a whole one.
    """
    said = said_by(path, PART_KEY, "an article part of pubray; remove it and ingest its source again")
    with refusing(path):
        facts = json.loads(said)
        return ArticlePart(PartRef(*facts["ref"]), facts["source_bytes"], Rejects(**facts["rejects"]))

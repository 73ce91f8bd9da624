"""Articles as rows: key and hashes of a record, the batches made of records, and the article part of a source file.

Hashes are 64 bits of blake2b over MessagePack, which keeps fields apart and None apart from "", and unlike repr() does
not change with the Python version, so a new interpreter does not make every article look revised.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from retrieval.files.parquet import regrouped, said_by
from schemas.article import ARTICLE_SCHEMA, Article
from schemas.layout import Layout
from schemas.snapshot import PartRef, SourceFile
from schemas.store import Store

BATCH_ROWS = 2_000
"""Articles per batch: about 10 MB, so a reader's memory does not depend on its file."""
HASHED_KEY_BIT = 1 << 62
"""Set in the keys made by hashing, so that they never meet a number."""
MAX_SAMPLES = 5

_PACKER = msgpack.Packer()
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")

ROW_GROUP = 2048
"""Rows of an article part per Parquet row group: what is read at least to read a range."""
PART_KEY = b"pubray.part"
"""Parquet metadata: an `ArticlePart` in JSON."""


@dataclass
class Rejects:
    """Records dropped from source files: how many for which reason, with a few named. Two of them add."""

    counts: dict[str, int] = field(default_factory=dict)
    """Reason -> number of records."""
    samples: dict[str, list[str]] = field(default_factory=dict)
    """Reason -> the first records dropped for it, at most `MAX_SAMPLES`."""

    def add(self, reason: str, record: str) -> None:
        """Count one record, named so that a person finds it in its source file."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        self.samples[reason] = [*self.samples.get(reason, []), record][:MAX_SAMPLES]

    def __add__(self, other: "Rejects") -> "Rejects":
        counts = dict(Counter(self.counts) + Counter(other.counts))
        samples = {r: [*self.samples.get(r, []), *other.samples.get(r, [])][:MAX_SAMPLES] for r in counts}
        return Rejects(counts, samples)


def text_hash(title: str, abstract: str) -> int:
    """Return 64 bits over what a vector depends on."""
    return _hash64(_PACKER.pack((title, abstract)))


def record_hash(article: Article) -> int:
    """Return 64 bits over what an answer depends on: every field but the last, `date_revised`."""
    return _hash64(_PACKER.pack(article[:-1]))


def key_of_id(doc_id: str) -> int:
    """Map a corpus's own id to a positive int64 key.

    A canonical decimal below 2**62 is its own key; any other id gets a hash with bit 62 set. Two ids of a
    corpus of 15 million meet with probability 2e-5.
    """
    if _DECIMAL.fullmatch(doc_id) and int(doc_id) < HASHED_KEY_BIT:
        return int(doc_id)
    return HASHED_KEY_BIT | (_hash64(doc_id.encode()) & (HASHED_KEY_BIT - 1))


def article_with_id(doc_id: str, title: str, abstract: str) -> Article:
    """Return the article of a corpus that has ids and texts only."""
    key = key_of_id(doc_id)
    own = None if str(key) == doc_id else doc_id
    return Article(key, own, unusable=not (title or abstract), title=title, abstract=abstract)


def article_batch(articles: Sequence[Article]) -> pa.RecordBatch:
    """Return the articles as one batch of `ARTICLE_SCHEMA`; the hashes of a deletion are 0."""
    columns = [list(column) for column in zip(*articles, strict=True)] or [[] for _ in Article._fields]
    columns.append([0 if a.deleted else text_hash(a.title, a.abstract) for a in articles])
    columns.append([0 if a.deleted else record_hash(a) for a in articles])
    arrays = [_array(column, f.type) for column, f in zip(columns, ARTICLE_SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=ARTICLE_SCHEMA)


def article_batches(articles: Iterable[Article]) -> Iterator[pa.RecordBatch]:
    """Yield the articles in their order, in batches of `BATCH_ROWS` and one shorter last one."""
    remaining = iter(articles)
    while chunk := list(islice(remaining, BATCH_ROWS)):
        yield article_batch(chunk)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Return values as pyarrow.array() does, twice as fast where they are lists of tuples."""
    if pa.types.is_list(kind):
        offsets = np.cumsum([0, *map(len, values)], dtype=np.int32)
        return pa.ListArray.from_arrays(offsets, _array([x for value in values for x in value], kind.value_type))
    if pa.types.is_struct(kind):
        columns = zip(*values, strict=True) if values else ((),) * kind.num_fields
        arrays = [_array(list(c), f.type) for c, f in zip(columns, kind, strict=True)]
        return pa.StructArray.from_arrays(arrays, fields=list(kind))
    return pa.array(values, kind)


def _hash64(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


class ArticlePart(NamedTuple):
    """What the footer of an article part says."""

    ref: PartRef
    source: SourceFile
    rejects: Rejects


def write_article_part(
    path: Path, name: str, batches: Iterable[pa.RecordBatch], source: SourceFile, rejects: Rejects
) -> ArticlePart:
    """Write the records of the source file of a name; memory is bounded by one row group.

    rejects: is complete when the last batch has been read. The digest is over keys and record hashes: it changes when
    any record does.
    """
    digest, rows, deletions = hashlib.sha256(), 0, 0
    with pq.ParquetWriter(path, ARTICLE_SCHEMA, compression="zstd", write_page_checksum=True) as writer:
        for table in regrouped(batches, ROW_GROUP):
            for column in ("pmid", "deleted", "unusable", "record_hash"):
                digest.update(table[column].combine_chunks().to_numpy(zero_copy_only=False).tobytes())
            writer.write_table(table, row_group_size=ROW_GROUP)
            rows += len(table)
            deletions += pc.sum(table["deleted"]).as_py()
        ref = PartRef(name, digest.hexdigest()[:16], rows, deletions)
        part = ArticlePart(ref, source, rejects)
        writer.add_key_value_metadata({PART_KEY: json.dumps(part._asdict(), default=asdict).encode()})
    return part


def article_part(file: pq.ParquetFile) -> ArticlePart:
    """Return what the footer of an open file says; a ValueError, KeyError or TypeError if it is no article part."""
    facts = json.loads(said_by(file, PART_KEY, "an article part of pubray; remove it and ingest its source again"))
    source = facts["source"] if "source" in facts else [facts["source_bytes"]]
    return ArticlePart(PartRef(*facts["ref"]), SourceFile(*source), Rejects(**facts["rejects"]))


def read_article_part(store: Store, name: str) -> ArticlePart:
    """Read the footer of an article part; IntegrityError for a file that is none, or not a whole one."""
    with store.parquet(Layout.article_part(name)) as file:
        return article_part(file)

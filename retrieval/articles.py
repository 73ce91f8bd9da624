"""Articles as rows: one typed record, its key and hashes, and the Arrow batches made of it.

Hashes are 64 bits of blake2b over JSON: JSON keeps fields apart and None apart from "", and unlike repr()
it does not change with the Python version, so a new interpreter does not make every article look revised.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple

import pyarrow as pa

from schemas.article import ARTICLE_SCHEMA

BATCH_ROWS = 2_000
"""Articles per batch: about 3 MB, so a reader's memory does not depend on its file."""

HASHED_KEY_BIT = 1 << 62
"""Set in the keys made by hashing, so that they never meet a number."""

MAX_SAMPLES = 5

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


class Qualifier(NamedTuple):
    """A MeSH qualifier (subheading) of a heading."""

    name: str
    major: bool


class MeshHeading(NamedTuple):
    """A MeSH heading, in the field order of `MESH_HEADING`."""

    descriptor: str
    major: bool
    qualifiers: Sequence[Qualifier]


class Article(NamedTuple):
    """One row of an article part without its hashes, in the field order of `ARTICLE_SCHEMA`."""

    pmid: int
    doc_id: str | None = None
    version: int = 1
    deleted: bool = False
    title: str = ""
    abstract: str = ""
    journal: str = ""
    publication_date: str | None = None
    year: int | None = None
    publication_types: Sequence[str] = ()
    mesh: Sequence[MeshHeading] = ()
    languages: Sequence[str] = ()
    doi: str | None = None


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
        """Return the sum over both; a sample keeps its first records."""
        reasons = [*self.counts, *(reason for reason in other.counts if reason not in self.counts)]
        return Rejects(
            {r: self.counts.get(r, 0) + other.counts.get(r, 0) for r in reasons},
            {r: [*self.samples.get(r, []), *other.samples.get(r, [])][:MAX_SAMPLES] for r in reasons},
        )


def text_hash(title: str, abstract: str) -> int:
    """Return 64 bits over what a vector depends on."""
    return _hash64(json.dumps((title, abstract)).encode())


def record_hash(article: Article) -> int:
    """Return 64 bits over what an answer depends on: every field but `deleted`."""
    return _hash64(json.dumps(article._replace(deleted=False)).encode())


def key_of(doc_id: str) -> int:
    """Map a corpus's own id to a positive int64 key.

    A canonical decimal below 2**62 is its own key; any other id gets a hash with bit 62 set. Two ids of a
    corpus of 15 million meet with probability 2e-5.
    """
    if _DECIMAL.fullmatch(doc_id) and int(doc_id) < HASHED_KEY_BIT:
        return int(doc_id)
    return HASHED_KEY_BIT | (_hash64(doc_id.encode()) & (HASHED_KEY_BIT - 1))


def article_with_id(doc_id: str, title: str, abstract: str) -> Article:
    """Return the article of a corpus that has ids and texts only."""
    key = key_of(doc_id)
    return Article(key, doc_id=None if str(key) == doc_id else doc_id, title=title, abstract=abstract)


def article_batch(articles: Sequence[Article]) -> pa.RecordBatch:
    """Return the articles as one batch of `ARTICLE_SCHEMA`; the hashes of a deletion are 0."""
    columns = [list(column) for column in zip(*articles, strict=True)] or [[] for _ in Article._fields]
    columns.append([0 if a.deleted else text_hash(a.title, a.abstract) for a in articles])
    columns.append([0 if a.deleted else record_hash(a) for a in articles])
    arrays = [pa.array(column, type=f.type) for column, f in zip(columns, ARTICLE_SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=ARTICLE_SCHEMA)


def article_batches(articles: Iterable[Article]) -> Iterator[pa.RecordBatch]:
    """Yield the articles in their order, in batches of `BATCH_ROWS` and one shorter last one."""
    remaining = iter(articles)
    while chunk := list(islice(remaining, BATCH_ROWS)):
        yield article_batch(chunk)


def _hash64(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")

"""Source files as streams of articles: PubMed XML, Parquet with pmid, title and abstract, and the BEIR corpus.jsonl."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from isal.igzip import IGzipFile

from retrieval.articles.article import BATCH_ROWS, Rejects, article_batches, article_with_id
from retrieval.ingest.pubmed.stream import read_pubmed_xml
from retrieval.ingest.sources import BROKEN_GZIP, source_kind
from schemas.article import Article
from schemas.errors import InputError

PARQUET_COLUMNS = ("pmid", "title", "abstract")
MORE_COLUMNS = ("year", "journal")
"""Columns that a Parquet file may have, and that are kept then."""
NUMBERS = ("pmid", "year")
_YEAR = re.compile(r"\s*([12][0-9]{3})(?:\.0*)?\s*")
_PMID = re.compile(r"\s*(?:PMID:?\s*)?0*([0-9]{1,18})(?:\.0*)?\s*", re.IGNORECASE)
"""As people write it, or a table program that took it for a number."""


def read_parquet_articles(file: BinaryIO, name: str, rejects: Rejects) -> Iterator[Article]:
    """Read a Parquet file, in its order.

    It needs the columns pmid (integer or string), title and abstract (strings of any kind); year (integer or string)
    and journal (strings) are kept where they are, others are left. What is no year of four digits is none. InputError
    for a missing column, another type, or a file that is not whole Parquet (then perhaps after some articles).
    """
    rows = 0
    try:
        parquet = pq.ParquetFile(file)
        more = [column for column in MORE_COLUMNS if column in parquet.schema_arrow.names]
        _check_columns(parquet.schema_arrow, name, more)
        for batch in parquet.iter_batches(BATCH_ROWS, columns=[*PARQUET_COLUMNS, *more]):
            columns = [batch.column(column).to_pylist() for column in (*PARQUET_COLUMNS, *more)]
            for row, (given, title, abstract, *rest) in enumerate(zip(*columns, strict=True), rows + 1):
                place = f"{name} row {row}"
                found = _PMID.fullmatch(str(given))
                if given is not None and found is None:
                    rejects.add("no PMID", f"{place}, {str(given)[:40]!r}")
                else:
                    facts = _facts(dict(zip(more, rest, strict=True)))
                    for article in _usable(found[1] if found else None, title, abstract, place, rejects):
                        yield article._replace(**facts)
            rows += batch.num_rows
        if rows != (said := parquet.metadata.num_rows):
            raise InputError(f"{name} is not whole Parquet: of {said:,} rows {rows:,} are there; write it anew")
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        fact = " ".join(str(error).split())
        raise InputError(f"{name} is not whole Parquet: {fact}, after row {rows:,}; write it anew") from error


def _facts(said: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an article that further columns say; null says nothing."""
    if found := _YEAR.fullmatch(str(said.pop("year", ""))):
        said["year"] = int(found[1])
    return {name: value for name, value in said.items() if value is not None}


def _check_columns(schema: pa.Schema, name: str, more: Sequence[str]) -> None:
    for column in (*PARQUET_COLUMNS, *more):
        if column not in schema.names:
            raise InputError(
                f"{name} has no column {column}, only {', '.join(schema.names)}; it needs {', '.join(PARQUET_COLUMNS)}"
            )
        if schema.names.count(column) > 1:
            raise InputError(f"{name} has {schema.names.count(column)} columns {column}; keep one of them")
        found = schema.field(column).type
        found = found.value_type if pa.types.is_dictionary(found) else found
        of_text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
        is_text = any(kind(found) for kind in of_text)
        if not is_text and not (column in NUMBERS and pa.types.is_integer(found)):
            raise InputError(f"{name}: column {column} is of type {found}; write it as a string")


def read_beir_corpus(stream: BinaryIO, name: str, rejects: Rejects) -> Iterator[Article]:
    """Read a BEIR corpus.jsonl, uncompressed, in its order.

    Each line is an object with the strings `_id` and `text`, perhaps `title`. InputError names the first line
    that is not, or says where the stream breaks off.
    """
    number = 0
    try:
        for number, line in enumerate(stream, 1):
            if line.isspace():
                continue
            place = f"{name} line {number}"
            yield from _usable(*_beir_fields(line, place), place, rejects)
    except BROKEN_GZIP as error:
        raise InputError(f"{name} is not whole gzip: {error}, after line {number:,}; download it again") from error


def _beir_fields(line: bytes, place: str) -> tuple[str, str, str]:
    try:
        record = json.loads(line)
        fields = record["_id"], record.get("title") or "", record["text"]
        # join() refuses what is not a string, encode() half of a surrogate pair.
        "".join(fields).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f'{place} is no record ({type(error).__name__}: {error}); write {{"_id": "…", "title": "…", "text": "…"}}'
        ) from error
    return fields


def _usable(
    doc_id: str | None, title: str | None, abstract: str | None, place: str, rejects: Rejects
) -> Iterator[Article]:
    title, abstract = (title or "").strip(), (abstract or "").strip()
    if not doc_id:
        rejects.add("no id", place)
    elif not title and not abstract:
        rejects.add("neither title nor abstract", f"{place}, id {doc_id}")
    else:
        yield article_with_id(doc_id, title, abstract)


READERS = {"pubmed": read_pubmed_xml, "parquet": read_parquet_articles, "beir": read_beir_corpus}


@contextmanager
def open_source(path: Path, rejects: Rejects) -> Iterator[Iterator[pa.RecordBatch]]:
    """Open a source file by the kind that its name says, unpacking .gz; see the readers for what they raise."""
    opened: Any = (IGzipFile if path.suffix == ".gz" else open)(path, "rb")
    with opened as stream:
        yield article_batches(READERS[source_kind(path.name)](stream, path.name, rejects))

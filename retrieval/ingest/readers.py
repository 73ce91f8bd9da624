"""Opening a source file of any kind as a stream of article batches."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from isal.igzip import IGzipFile

from retrieval.articles.article import Rejects
from retrieval.ingest.corpora import read_beir_corpus, read_parquet_articles
from retrieval.ingest.pubmed.stream import read_pubmed_xml
from retrieval.ingest.sources import source_kind

READERS = {"pubmed": read_pubmed_xml, "parquet": read_parquet_articles, "beir": read_beir_corpus}


@contextmanager
def open_source(path: Path, rejects: Rejects) -> Iterator[Iterator[pa.RecordBatch]]:
    """Open a source file by the kind that its name says, unpacking .gz; see the readers for what they raise."""
    opened: Any = (IGzipFile if path.suffix == ".gz" else open)(path, "rb")
    with opened as stream:
        yield READERS[source_kind(path.name)](stream, path.name, rejects)

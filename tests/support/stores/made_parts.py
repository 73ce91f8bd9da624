"""Small article parts and vector parts of made articles."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from retrieval.articles import article as article_module
from retrieval.articles.article import Rejects, article_batch, write_article_part
from retrieval.embed.vector_parts import write_vector_part
from schemas.article import Article
from schemas.snapshot import SourceFile
from tests.support.stores import corpus

ROWS = 50
GROUP = 16


def records(pmids: list[int]) -> pa.RecordBatch:
    """Article records, every fifth a deletion, every other without a DOI."""
    return article_batch(
        [Article(p, deleted=p % 5 == 0, title=f"Title {p}", doi=None if p % 2 else f"10.1/{p}") for p in pmids]
    )


def article_part(folder: Path) -> Path:
    """An article part of ROWS rows in groups of GROUP."""
    path = folder / "part.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(article_module, "ROW_GROUP", GROUP)
        write_article_part(path, path.stem, [records(list(range(ROWS)))], SourceFile(1), Rejects())
    return path


def vector_part(folder: Path) -> Path:
    """A vector part of ROWS rows, every third without a vector."""
    path = folder / "v.parquet"
    ids = np.arange(ROWS)
    write_vector_part(path, ids, ids.astype(np.uint64), corpus.vectors(0, ROWS), ids % 3 > 0)
    return path

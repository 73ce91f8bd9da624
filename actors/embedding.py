"""The three stages of embedding, for Ray Data: each takes and gives a table of one row per range of articles.

A row is a vector part to be, so Ray may move, retry or bundle rows as it likes: a part is never split.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from actors.encoder import ArticleTower
from actors.models import model_folder
from retrieval.parts import read_range, write_vector_part
from retrieval.selection import selected
from retrieval.snapshot import alive_rows
from retrieval.tokens import Tokens, TowerTokenizer
from schemas.config import Config
from schemas.layout import Layout
from schemas.protocols import ArticleText
from schemas.vector import RowRange


class TokenizeRange:
    """Read a range of an article part and tokenise its live, selected articles."""

    def __init__(self, config: Config, snapshot: str, pmids: NDArray[np.int64] | None) -> None:
        """`pmids` are those of the selection, where it is a list."""
        self._config, self._layout, self._pmids = config, Layout(config.store), pmids
        self._snapshot = self._layout.snapshot(snapshot)
        tower = config.encoder.article
        self._tokenizer = TowerTokenizer(model_folder(tower.model, tower.revision, Path(config.cache)), tower)

    def __call__(self, ranges: pa.Table) -> pa.Table:
        """Take the column `range` (JSON of a `RowRange`), add what the later stages need of its articles."""
        return pa.concat_tables(self._tokenize(json) for json in ranges["range"].to_pylist())

    def _tokenize(self, json: str) -> pa.Table:
        rows = RowRange.model_validate_json(json)
        articles = read_range(
            self._layout.article_part(rows.source),
            rows.start,
            rows.stop,
            ["pmid", "text_hash", "title", "abstract"],
        )
        alive = alive_rows(self._snapshot, rows.source, rows.start, rows.stop)
        wanted = alive & selected(self._config.selection, self._pmids, articles)
        texts = articles.filter(pa.array(wanted))
        columns = texts["title"].to_pylist(), texts["abstract"].to_pylist()
        tokens = self._tokenizer.articles([ArticleText(*text) for text in zip(*columns, strict=True)])
        lengths = [len(t.ids) for t in tokens]
        return _one_row(
            range=json,
            pmid=articles["pmid"].to_numpy(),
            text_hash=articles["text_hash"].to_numpy(),
            wanted=wanted,
            length=np.array(lengths, np.int32),
            ids=np.concatenate([np.empty(0, np.int32), *(t.ids for t in tokens)]),
            segments=np.concatenate([np.empty(0, np.int32), *(t.segments for t in tokens)]),
        )


class EncodeRange:
    """Encode the tokens of a range; the actor that holds the weights."""

    def __init__(self, config: Config, threads: int) -> None:
        """Load the article tower."""
        self._tower = ArticleTower(config.encoder, config.engine, threads=threads, cache=Path(config.cache))

    def __call__(self, ranges: pa.Table) -> pa.Table:
        """Put the vectors in the place of the tokens."""
        return pa.concat_tables(self._encode(row) for row in _rows(ranges))

    def _encode(self, row: dict[str, Any]) -> pa.Table:
        start = time.perf_counter()
        ends = np.cumsum(row["length"])[:-1]
        texts = [Tokens(*t) for t in zip(np.split(row["ids"], ends), np.split(row["segments"], ends), strict=True)]
        vectors = self._tower.vectors(texts if len(row["length"]) else [])
        return _one_row(
            range=row["range"],
            pmid=row["pmid"],
            text_hash=row["text_hash"],
            wanted=row["wanted"],
            vectors=vectors.astype(np.float16).reshape(-1),
            tokens=int(row["length"].sum()),
            seconds=time.perf_counter() - start,
        )


class WriteRange:
    """Write the vector part of a range, and say what was written."""

    def __init__(self, config: Config, fingerprint: str, selection: str) -> None:
        """`fingerprint` and `selection` name the folder."""
        self._dimension = config.encoder.dimension
        self._layout, self._folder = Layout(config.store), (fingerprint, selection)

    def __call__(self, ranges: pa.Table) -> pa.Table:
        """Return per range its name, its articles and vectors, the tokens and the encoder's seconds."""
        return pa.concat_tables(self._write(row) for row in _rows(ranges))

    def _write(self, row: dict[str, Any]) -> pa.Table:
        name = RowRange.model_validate_json(row["range"]).name
        vectors = np.zeros((len(row["pmid"]), self._dimension), np.float16)
        vectors[row["wanted"]] = row["vectors"].reshape(-1, self._dimension)
        path = self._layout.vector_part(*self._folder, name)
        write_vector_part(path, row["pmid"], row["text_hash"], vectors, row["wanted"])
        vectors_written = int(row["wanted"].sum())
        return _one_row(name=name, vectors=vectors_written, tokens=row["tokens"], seconds=row["seconds"])


def _one_row(**values: Any) -> pa.Table:
    """Return a table of one row; an array becomes one list, without a copy."""
    return pa.table({name: _cell(value) for name, value in values.items()})


def _cell(value: Any) -> pa.Array:
    if isinstance(value, np.ndarray):
        return pa.LargeListArray.from_arrays(pa.array([0, len(value)], pa.int64()), pa.array(value))
    return pa.array([value])


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of a table, lists as arrays."""
    return [
        {
            name: column[i].values.to_numpy(zero_copy_only=False)
            if pa.types.is_large_list(column.type)
            else column[i].as_py()
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
        for i in range(len(table))
    ]

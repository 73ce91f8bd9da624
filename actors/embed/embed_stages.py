"""The three stages of embedding, for Ray Data: each takes and gives a table of one row per range of articles.

A row is a vector part to be, so Ray may move, retry or bundle rows as it likes: a part is never split. Memory of a
worker beyond its model: texts, tokens and vectors of a few ranges; of one of 8,192 rows, 20 MB tokens (300 each) and
13 MB vectors (of 768).
"""

import platform
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from actors.embed.known_sources import COLUMNS, KnownSources, read_probe
from actors.fetch.stored_models import folder_of
from actors.store.stores import open_store
from retrieval.articles.pmids import read_selection
from retrieval.articles.selected_rows import read_selected
from retrieval.articles.snapshot import read_snapshot
from retrieval.embed.known.known_vectors import agreement
from retrieval.embed.tokens import Tokens, TowerTokenizer
from retrieval.embed.vector_parts import write_vector_part
from schemas.config import Config
from schemas.errors import PubrayError
from schemas.layout import Layout
from schemas.protocols import ArticleText
from schemas.vector import EmbedCounts, EmbedPlan, RowRange

NOTHING: dict[str, NDArray[Any]] = {
    "pmid": np.empty(0, np.int64),
    "text_hash": np.empty(0, np.uint64),
    "known": np.empty(0, np.intp),
    "known_vectors": np.empty(0, np.float16),
    "encoded": np.empty(0, np.intp),
    "length": np.empty(0, np.int32),
    "ids": np.empty(0, np.int32),
    "segments": np.empty(0, np.int32),
}
"""What the later stages need of a range, where there is none."""


class TokenizeRange:
    """Read a range of an article part, find what has a vector already, and tokenise the others to be embedded."""

    def __init__(self, config: Config, plan: EmbedPlan) -> None:
        self._config, self._plan, self._store = config, plan, open_store(config)
        self._snapshot = read_snapshot(self._store, plan.snapshot)
        self._pmids = read_selection(self._store, plan.selection)
        tower = config.encoder.article
        self._tokenizer = TowerTokenizer(folder_of(tower, config), tower)
        self._sources = KnownSources(config, plan)

    def __call__(self, ranges: pa.Table) -> pa.Table:
        """Take the column `range` (JSON of a `RowRange`), add what the later stages need of its articles."""
        return pa.concat_tables(self._tokenized(json) for json in ranges["range"].to_pylist())

    def _tokenized(self, json: str) -> pa.Table:
        try:
            return self._tokenize(json)
        except PubrayError as error:
            # As a value: Ray Data keeps no more of an exception than its text, and ends everything.
            return _one_row(range=json, error=str(error), counts=EmbedCounts().model_dump_json(), **NOTHING)

    def _tokenize(self, json: str) -> pa.Table:
        start = time.perf_counter()
        rows = RowRange.model_validate_json(json)
        of = self._config.selection
        articles, mask = read_selected(self._store, self._snapshot, rows, COLUMNS, of, self._pmids)
        [wanted] = np.nonzero(mask)
        texts = articles.take(pa.array(wanted))
        known, found = self._sources.find(texts)
        rest = np.delete(np.arange(len(wanted)), known.rows)
        columns = texts.select(["title", "abstract"]).take(pa.array(rest)).to_pydict()
        tokens = self._tokenizer.articles(
            [ArticleText(*text) for text in zip(columns["title"], columns["abstract"], strict=True)]
        )
        counts = found + EmbedCounts(
            rows=len(articles),
            encoded=len(rest),
            without_title=_empty(texts["title"]),
            without_abstract=_empty(texts["abstract"]),
            cut=sum(t.cut for t in tokens),
            tokens=sum(len(t.ids) for t in tokens),
            read_seconds=time.perf_counter() - start,
        )
        return _one_row(
            range=json,
            error="",
            counts=counts.model_dump_json(),
            pmid=articles["pmid"].to_numpy(),
            text_hash=articles["text_hash"].to_numpy(),
            known=wanted[known.rows],
            known_vectors=known.vectors.reshape(-1),
            encoded=wanted[rest],
            length=np.array([len(t.ids) for t in tokens], np.int32),
            ids=np.concatenate([np.empty(0, np.int32), *(t.ids for t in tokens)]),
            segments=np.concatenate([np.empty(0, np.int32), *(t.segments for t in tokens)]),
        )


DRIFTED = "the encoder makes other vectors than are there"
"""How what is told begins where it does."""


class EncodeRange:
    """Encode the tokens of a range; the actor that holds the weights.

    One that makes other vectors than are there, by another driver or library, encodes nothing: they do not mix.
    """

    def __init__(self, config: Config, plan: EmbedPlan, beside: int = 1) -> None:
        """`beside`: how many there are on its node, this one included; they share its cores."""
        # Imported here: torch takes seconds and 200 MB, and the other stages and the driver do without.
        from actors.embed.towers import ArticleTower
        from actors.engine.cpu_threads import available_threads

        probe = read_probe(config, plan)
        self._tower = ArticleTower(config, config.embed.threads or max(1, available_threads() // beside))
        own = self._tower.encode(probe.texts if probe else [ArticleText("", "")])  # loads what is loaded at first use
        self._refused, self._begun = "", EmbedCounts(encoders=1)
        if probe:
            found = agreement(probe.vectors, own)
            self._begun += EmbedCounts(probed=found.pairs, probe_cosine=found.pairs * found.median_cosine)
            if found.median_cosine < config.embed.min_agreement:
                self._refused = (
                    f"{DRIFTED}, on {platform.node()}: median cosine {found.median_cosine:.4f} of {found.pairs}, "
                    f"embed.min_agreement is {config.embed.min_agreement}; look at its driver, libraries and [engine]"
                )
        self._idle_since: float | None = None
        self._peak: float | None = None

    def __call__(self, ranges: pa.Table) -> pa.Table:
        """Put the vectors in the place of the tokens."""
        return pa.concat_tables(self._encode(row) for row in _rows(ranges))

    def _encode(self, row: dict[str, Any]) -> pa.Table:
        if self._refused:
            row = {**row, **NOTHING, "error": row["error"] or self._refused}
        start = time.perf_counter()
        waited = start - self._idle_since if self._idle_since else 0.0
        lengths, ids, segments = row.pop("length"), row.pop("ids"), row.pop("segments")
        ends = np.cumsum(lengths)  # behind the last of which nothing is left
        texts = [Tokens(*text) for text in zip(np.split(ids, ends), np.split(segments, ends), strict=True)][:-1]
        vectors = self._tower.vectors(texts)
        seconds = time.perf_counter() - start
        # Not at the start, when all the other workers start too.
        self._peak = self._peak or self._tower.peak()
        begun, self._begun = self._begun, EmbedCounts()  # told once
        done = begun + EmbedCounts(
            padded_tokens=self._tower.padded_tokens(texts),
            flops=self._tower.flops(texts),
            peak_flops=self._peak * seconds,
            wait_seconds=waited,
            encode_seconds=seconds,
        )
        self._idle_since = time.perf_counter()
        return _one_row(**_counted(row, done), encoded_vectors=vectors.astype(np.float16).reshape(-1))


class WriteRange:
    """Write the vector part of a range, and say what was done."""

    def __init__(self, config: Config, plan: EmbedPlan) -> None:
        self._dimension, self._store, self._plan = config.encoder.dimension, open_store(config), plan

    def __call__(self, ranges: pa.Table) -> pa.Table:
        """Return per range its name, its `EmbedCounts` in JSON, and why it could not be written ("": it was)."""
        return pa.concat_tables(self._written(row) for row in _rows(ranges))

    def _written(self, row: dict[str, Any]) -> pa.Table:
        name = RowRange.model_validate_json(row["range"]).name
        if not row["error"]:
            try:
                row = self._write(name, row)
            except PubrayError as refusal:
                row["error"] = str(refusal)
        return _one_row(name=name, error=row["error"], counts=row["counts"])

    def _write(self, name: str, row: dict[str, Any]) -> dict[str, Any]:
        start = time.perf_counter()
        vectors = np.zeros((len(row["pmid"]), self._dimension), np.float16)
        present = np.zeros(len(vectors), bool)
        for kind in ("known", "encoded"):
            vectors[row[kind]] = row[f"{kind}_vectors"].reshape(-1, self._dimension)
            present[row[kind]] = True
        with self._store.incoming(Layout.vector_part(self._plan.fingerprint, self._plan.selection, name)) as path:
            write_vector_part(path, row["pmid"], row["text_hash"], vectors, present)
            size = path.stat().st_size
        return _counted(row, EmbedCounts(write_seconds=time.perf_counter() - start, bytes=size))


def _counted(row: dict[str, Any], done: EmbedCounts) -> dict[str, Any]:
    counts = EmbedCounts.model_validate_json(row["counts"]) + done
    return row | {"counts": counts.model_dump_json()}


def _empty(column: pa.ChunkedArray) -> int:
    return int(pc.sum(pc.equal(column, "")).as_py() or 0)


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

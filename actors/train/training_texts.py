"""The texts of the articles that are trained on: from the article parts of the store to a file that this node maps."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from retrieval.articles.pmids import distinct, find_among
from retrieval.articles.snapshot import Snapshot, check_part, key_groups, read_snapshot
from retrieval.files.atomic import atomic_path
from retrieval.files.parquet import read_groups
from schemas.arrays import Pmids
from schemas.config import Config
from schemas.layout import Layout
from schemas.protocols import ArticleText
from schemas.store import Store

TEXT_SCHEMA = pa.schema([("pmid", pa.int64()), ("title", pa.string()), ("abstract", pa.string())])


class TrainingTexts:
    """The texts of some articles, by PMID."""

    def __init__(self, path: Path) -> None:
        """Map what `write_texts` wrote. Memory: 24 bytes an article."""
        self._table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        pmids = self._table["pmid"].to_numpy()
        self._order = np.argsort(pmids)
        self._pmids = pmids[self._order]

    def read(self, pmids: Pmids) -> list[ArticleText]:
        """Return the texts of articles, in their order; KeyError: one is not there."""
        found, places = find_among(self._pmids, pmids)
        if len(found) < len(pmids):
            missing = np.delete(pmids, found)[0]
            raise KeyError(f"article {missing} is not alive in the snapshot that the pairs were made of")
        # Row by row: `take` would first put all texts into one piece, in memory.
        titles, abstracts = self._table["title"], self._table["abstract"]
        return [ArticleText(titles[row].as_py(), abstracts[row].as_py()) for row in self._order[places].tolist()]


def texts_here(
    config: Config, store: Store, snapshot: str, pairs: Sequence[str], pmids: Pmids | pa.Array
) -> TrainingTexts:
    """Return the texts of articles from the cache of this node, where they are put once."""
    wanted = distinct(np.array(pmids, np.int64))
    name = hashlib.blake2b(wanted.tobytes() + " ".join([snapshot, *pairs]).encode(), digest_size=16).hexdigest()
    path = Path(config.cache, "training", f"{name}.arrow")
    write_texts(store, read_snapshot(store, snapshot), pairs, wanted, path)
    return TrainingTexts(path)


def write_texts(store: Store, snapshot: Snapshot, pairs: Sequence[str], pmids: Pmids, path: Path) -> None:
    """Write the texts of articles (sorted), those that are alive or that sets of pairs bring along.

    Memory: a row group of an article part.

    Where it is there it is as it should be: its name says of what it was made.
    """
    if path.exists():
        return
    with atomic_path(str(path)) as made, pa.OSFile(str(made), "wb") as file, pa.ipc.new_file(file, TEXT_SCHEMA) as out:
        for table in _texts(store, snapshot, pmids):
            out.write_table(table)
        for key in map(Layout.pair_texts, pairs):
            if store.facts(key) is not None:
                with store.parquet(key) as given:
                    out.write_table(given.read().cast(TEXT_SCHEMA))


def _texts(store: Store, snapshot: Snapshot, pmids: Pmids) -> Iterator[pa.Table]:
    places = [np.empty((0, 2), np.int64)]
    for group in key_groups(store, snapshot, ["pmid", "part", "row"]):
        wanted = np.isin(group["pmid"].to_numpy(), pmids)
        places.append(np.stack([group[name].to_numpy()[wanted] for name in ("part", "row")], 1).astype(np.int64))
    part, row = np.concatenate(places).T
    for number in np.unique(part).tolist():
        name = snapshot.info.parts[number].name
        key = Layout.article_part(name)
        with store.parquet(key) as file:
            check_part(snapshot, name, file, store.name(key))
            yield from _rows(file, np.sort(row[part == number]))


def _rows(file: pq.ParquetFile, rows: Sequence[int] | np.ndarray) -> Iterator[pa.Table]:
    """Yield rows (ascending) of an article part, a row group at a time."""
    ends = np.cumsum([file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)])
    groups = np.searchsorted(ends, rows, "right")
    for group in np.unique(groups).tolist():
        start = int(ends[group - 1]) if group else 0
        table = read_groups(file, [group], TEXT_SCHEMA.names).select(TEXT_SCHEMA.names)
        yield table.take(pa.array(np.asarray(rows)[groups == group] - start)).cast(TEXT_SCHEMA)

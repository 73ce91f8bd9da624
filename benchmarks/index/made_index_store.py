"""A store of N made articles, as ingest and embed would have left it, and its nights; written part by part.

An article has a title and an abstract of 1,200 characters, which is PubMed's mean, of words that an encoder of random
weights knows, five authors and a DOI. Its vector is a function of its text hash. Of a night's records 60 % are new
articles, 15 % revised in text, 20 % in metadata only, 5 % deletions; what they revise or delete is spread over all
articles, which is the worst case. Each night touches other articles.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, BertModel

from actors.fetch.stored_models import tower_digests
from actors.store.local_store import LocalStore
from benchmarks.index.made_vectors import MadeVectors, Numbers, mixed
from jobs.common.config import load_config
from jobs.common.console import Progress
from jobs.common.store import keep_selection, newest_snapshot
from retrieval.articles.article import Rejects, article_batches, read_article_part, write_article_part
from retrieval.articles.snapshot import alive_rows, read_snapshot
from retrieval.articles.snapshot_update import SnapshotPlan, write_snapshot
from retrieval.embed.vector_parts import row_ranges, write_vector_part
from schemas.article import Article, Author, Term
from schemas.config import Config
from schemas.encoder import article_fingerprint
from schemas.layout import Layout
from schemas.snapshot import Lineage, PartRef, SourceFile
from schemas.vector import RowRange

FILE_ROWS = 30_000
ABSTRACT = 1200
DIMENSION = 768
AUTHORS = [Author(f"Author{i % 20}son", f"Forename{i}", "ABCDEFGH"[i % 8] + "JKLMN"[i % 5]) for i in range(400)]
NIGHTLY = 0.01
"""Records of a night, of all articles at the start."""
SHARES = {"new": 0.60, "text": 0.15, "metadata": 0.20, "deleted": 0.05}
WORDS = [f"w{number}" for number in range(1000)]
LETTERS = " ".join(WORDS[i] for i in np.random.default_rng(0).integers(0, len(WORDS), 200_000))
CONFIG = """store = "made"
[selection]
rule = "all"
[encoder]
name = "made"
pooling = "mean"
normalize = true
dimension = {dimension}
query = {{ model = "{model}", max_length = 32 }}
article = {{ model = "{model}", max_length = 32 }}
[engine]
kind = "torch"
[index]
recall_floor = 0    # titles through random weights: the recall of such queries says nothing
"""


def folder_for(rows: int) -> Path:
    """Return where the store of so many articles is kept, with all that was built from it."""
    return Path("~/.cache/pubray/benchmarks").expanduser() / f"index-{rows}"


class MadeStore:
    """The store below one folder."""

    def __init__(self, folder: Path, rows: int, name: str = "store") -> None:
        """`name` is that of the store, of which a folder can hold several over the same articles."""
        self.folder, self.rows, self.root = folder, rows, folder / name
        self.file = folder / "config.toml"
        if not self.file.exists():
            write_encoder(folder / "encoder")
            self.file.write_text(CONFIG.format(model=folder / "encoder", dimension=DIMENSION))
        self.config: Config = load_config(str(self.file), [], {"PUBRAY_STORE": str(self.root)})
        self.files = LocalStore(self.config.store)
        self.vectors = MadeVectors(DIMENSION)

    def write(self) -> None:
        """Write what is not there yet of article parts, snapshot and vector parts."""
        starts = range(1, self.rows + 1, FILE_ROWS)
        files = {f"made26n{i + 1:05}": range(s, min(s + FILE_ROWS, self.rows + 1)) for i, s in enumerate(starts)}
        progress = Progress("articles", self.rows, "rows")
        for name, pmids in files.items():
            self._write_articles(name, (article(pmid) for pmid in pmids))
            progress.add(len(pmids))
        progress.finish()
        self._publish(list(files), None)

    def publish_night(self, night: int) -> int:
        """Add the records of a night, counted from 0; return how many they are."""
        previous = newest_snapshot(self.files)
        assert previous
        names = [f"made26n{len(previous.info.parts) + 1 + i:05}" for i in range(-(-self.night_records // FILE_ROWS))]
        records = iter(self._night(night))
        for name in names:
            self._write_articles(name, (r for _, r in zip(range(FILE_ROWS), records, strict=False)))
        self._publish([part.name for part in previous.info.parts] + names, len(previous.info.parts))
        return self.night_records

    @property
    def night_records(self) -> int:
        """Records of a night."""
        return round(self.rows * NIGHTLY)

    def linked(self, name: str) -> "MadeStore":
        """Return a new store over the same files, whose own additions leave this one as it is."""
        other = MadeStore(self.folder, self.rows, name)
        for path in (p for p in self.root.rglob("*") if p.is_file()):
            link = other.root / path.relative_to(self.root)
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, link)
        return other

    def _night(self, night: int) -> Iterator[Article]:
        counts = {kind: round(self.night_records * share) for kind, share in SHARES.items()}
        counts["new"] += self.night_records - sum(counts.values())
        touched = self.night_records - counts["new"]
        old = np.random.default_rng(1).permutation(self.rows)[night * touched : (night + 1) * touched] + 1
        new = self.rows + 1 + night * counts["new"] + np.arange(counts["new"])
        ends = np.cumsum([0, *counts.values()])
        pmids = np.concatenate([new, old])
        for place in np.random.default_rng(night).permutation(len(pmids)):
            kind = list(counts)[int(np.searchsorted(ends, place, "right")) - 1]
            yield article(int(pmids[place]), kind)

    def _write_articles(self, name: str, articles: Iterator[Article]) -> None:
        key = Layout.article_part(name)
        if self.files.facts(key) is None:
            with self.files.incoming(key) as path:
                write_article_part(path, name, article_batches(articles), SourceFile(1), Rejects())

    def _publish(self, names: list[str], known: int | None) -> None:
        """Write the snapshot of some parts, the first `known` of which the newest one has, and the vector parts."""
        refs = tuple(read_article_part(self.files, name).ref for name in names)
        plan = SnapshotPlan(Lineage(number=0), refs, newest_snapshot(self.files) if known else None)
        if not self.files.path(Layout.snapshot(plan.id)).exists():
            write_snapshot(self.files, plan, lambda counts: None)
        self._write_vectors(refs, known or 0, plan.id)

    def _write_vectors(self, refs: tuple[PartRef, ...], known: int, snapshot: str) -> None:
        selection = keep_selection(self.files, self.config.selection)
        digests = tower_digests(self.config.encoder.article, self.config)
        fingerprint = article_fingerprint(self.config.encoder, digests)
        added = {ref.name for ref in refs[known:]}
        progress = Progress("vectors", sum(ref.rows for ref in refs[known:]), "rows")
        for one in row_ranges(refs, self.config.embed.rows_per_part):
            if one.source in added:
                key = Layout.vector_part(fingerprint, selection, one.name)
                if self.files.facts(key) is None:
                    with self.files.incoming(key) as path:
                        self._write_range(path, one, snapshot)
                progress.add(one.stop - one.start)
        progress.finish()

    def _write_range(self, path: Path, one: RowRange, snapshot: str) -> None:
        keys = pq.read_table(self.files.path(Layout.article_part(one.source)), columns=["pmid", "text_hash"])
        keys = keys.slice(one.start, one.stop - one.start)
        texts: Numbers = keys["text_hash"].to_numpy()
        known = read_snapshot(self.files, snapshot)
        with self.files.parquet(known.key) as file:
            alive = alive_rows(file, known.number(one.source), one.start, one.stop)
        write_vector_part(path, keys["pmid"].to_numpy(), texts, self.vectors.of(texts), alive)


def article(pmid: int, kind: str = "new") -> Article:
    """Return a record: the first of an article, or what a night makes of it."""
    if kind == "deleted":
        return Article(pmid, deleted=True)
    bits = int(mixed(np.array([pmid], np.uint64), 2 + (kind == "text"))[0])
    start = bits % (len(LETTERS) - ABSTRACT - 100)
    return Article(
        pmid,
        title=LETTERS[start : start + 80].strip() + f" w{pmid % 997} {kind == 'text'} {pmid}",
        abstract=LETTERS[start + 100 : start + 100 + ABSTRACT],
        journal=f"Journal {bits % 499}",
        volume="2" if kind == "metadata" else "1",
        year=1950 + bits % 77,
        languages=["eng"],
        publication_types=[Term("D016428", "Journal Article")],
        authors=[AUTHORS[(bits >> 9 * i) % len(AUTHORS)] for i in range(5)],
        doi=f"10.{1000 + bits % 499}/j.made.{1950 + bits % 77}.{pmid:08}",
    )


def write_encoder(folder: Path) -> None:
    """Write a model of random weights, which the check of a version encodes its queries with."""
    torch.manual_seed(0)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    config = BertConfig(
        vocab_size=len(special) + len(WORDS),
        hidden_size=DIMENSION,
        num_hidden_layers=1,
        num_attention_heads=12,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    model: Any = BertModel(config)
    model.eval().save_pretrained(folder)
    tokenizer = Tokenizer(WordLevel({w: i for i, w in enumerate(special + WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))

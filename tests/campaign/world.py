"""What the campaign makes up: source files as they are issued, and what is alive after those that were taken up."""

import gzip
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.models.tiny import WORDS

FIRST, CHANGES = 40, 12
"""Records of the first file, and of each that follows."""


class Record(NamedTuple):
    """One line of a source file; a deletion has no texts."""

    pmid: int
    title: str = ""
    abstract: str = ""

    @property
    def deleted(self) -> bool:
        return not self.title


Alive = dict[int, Record]
"""By PMID; all of them have an abstract."""


class World:
    """The files that somebody issues, in their order."""

    def __init__(self, folder: Path, rng: random.Random, *, pubmed: bool) -> None:
        """pubmed: names with year and number, in XML, the first a baseline; else names of any kind, in Parquet."""
        self._folder, self._rng, self.pubmed = folder, rng, pubmed
        self._folder.mkdir(parents=True)
        self._issued: dict[str, list[Record]] = {}
        self._texts = 0
        self._numbers = 0

    @property
    def names(self) -> list[str]:
        """All files, in their order."""
        return list(self._issued)

    def issue(self) -> str:
        """Make the next file; return its name."""
        self._numbers += 1
        alive = self.alive(self._issued)
        records = list(self._changes(alive)) if alive else [self._record(pmid) for pmid in range(101, 101 + FIRST)]
        name = f"pubmed26n{self._numbers:04}.xml.gz" if self.pubmed else self._free_name()
        self._issued[name] = records
        self._write(name, records)
        return name

    def alive(self, names: Iterable[str]) -> Alive:
        """What is alive after these files, whenever they came."""
        taken, found = set(names), Alive()
        for name, records in self._issued.items():
            for record in records if name in taken else ():
                found.pop(record.pmid, None)
                if not record.deleted:
                    found[record.pmid] = record
        return found

    def offer(self, folder: Path, names: Iterable[str]) -> Path:
        """Make a folder of links to these files."""
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).hardlink_to(self._folder / name)
        return folder

    def reorder(self, name: str) -> None:
        """Issue a file again, its records in another order, which says the same: none is in it twice."""
        self._issued[name] = self._rng.sample(self._issued[name], len(self._issued[name]))
        (self._folder / name).unlink()
        self._write(name, self._issued[name])

    def _changes(self, alive: Alive) -> Iterator[Record]:
        """New articles, revised ones and deletions, each PMID once."""
        old = self._rng.sample(sorted(alive), min(len(alive), CHANGES // 2))
        newest = max(alive)
        for pmid in old:
            # Parquet cannot say that an article is gone.
            yield self._record(pmid) if not self.pubmed or self._rng.random() < 0.6 else Record(pmid)
        for pmid in range(newest + 1, newest + 1 + CHANGES - len(old)):
            yield self._record(pmid)

    def _record(self, pmid: int) -> Record:
        self._texts += 1
        words = " ".join(self._rng.choices(WORDS, k=8))
        return Record(pmid, f"{words} no {self._texts}.", " ".join(self._rng.choices(WORDS, k=12)))

    def _free_name(self) -> str:
        odd = ["corpus.parquet", "2024-12-01-update.parquet", "hotfix.parquet", "a.parquet"]
        left = [name for name in odd if name not in self._issued]
        return self._rng.choice(left) if left and self._rng.random() < 0.3 else f"night-{self._numbers + 7}.parquet"

    def _write(self, name: str, records: list[Record]) -> None:
        path = self._folder / name
        if self.pubmed:
            path.write_bytes(gzip.compress(_xml(records).encode()))
            return
        columns = {
            "pmid": [record.pmid for record in records if not record.deleted],
            "title": [record.title for record in records if not record.deleted],
            "abstract": [record.abstract for record in records if not record.deleted],
        }
        pq.write_table(pa.table(columns), path)


def _xml(records: list[Record]) -> str:
    articles = "".join(
        f'<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM"><PMID Version="1">{pmid}</PMID><Article>'
        f"<Journal><Title>Made</Title></Journal><ArticleTitle>{escape(title)}</ArticleTitle><Abstract><AbstractText>"
        f"{escape(abstract)}</AbstractText></Abstract><Language>eng</Language></Article></MedlineCitation>"
        "</PubmedArticle>\n"
        for pmid, title, abstract in records
        if title
    )
    gone = "".join(f'<PMID Version="1">{record.pmid}</PMID>' for record in records if record.deleted)
    deletions = f"<DeleteCitation>{gone}</DeleteCitation>\n" if gone else ""
    return f'<?xml version="1.0" encoding="utf-8"?>\n<PubmedArticleSet>\n{articles}{deletions}</PubmedArticleSet>\n'

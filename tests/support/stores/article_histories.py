"""Histories of articles, file by file, and what a plain replay of them says: one record at a time, in a dict."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st

from actors.store.local_store import LocalStore
from retrieval.articles.article import Rejects, article_batch, write_article_part
from retrieval.articles.snapshot import Snapshot, read_snapshot
from retrieval.articles.snapshot_update import SnapshotPlan, write_snapshot
from schemas.article import Article
from schemas.layout import Layout
from schemas.snapshot import Lineage, PartRef, SnapshotCounts, SourceFile

File = Sequence[Article]

LINEAGE = Lineage(number=0)


class Place(NamedTuple):
    """Where the record lies that is alive."""

    part: int
    row: int
    article: Article


State = dict[int, Place]


def deletion(pmid: int) -> Article:
    return Article(pmid, deleted=True)


def unusable(pmid: int, version: int = 1) -> Article:
    return Article(pmid, version=version, unusable=True)


def record(pmid: int, version: int, title: str, journal: str, revised: str) -> Article:
    return Article(pmid, version=version, title=title, journal=journal, date_revised=revised)


PMIDS = st.sampled_from([1, 2, 3, 10, 2**62 + 5])
RECORDS = st.one_of(
    st.builds(
        record,
        PMIDS,
        st.sampled_from([1, 1, 1, 2, 3]),
        st.sampled_from(["old", "new"]),
        st.sampled_from(["A", "B"]),
        st.sampled_from(["2026-01-01", "2026-01-02"]),
    ),
    PMIDS.map(deletion),
    st.builds(unusable, PMIDS, st.integers(1, 2)),
)
FILES = st.lists(st.lists(RECORDS, max_size=8), max_size=5)


def said(article: Article) -> Article:
    """What a record says, whenever it was issued."""
    return article._replace(date_revised=None)


def replayed(state: State, files: Sequence[File], first: int = 0) -> tuple[State, int]:
    """Replay files, the first of which is number `first`; return the state and how many deletions found nothing."""
    state, unknown = dict(state), 0
    for part, file in enumerate(files, first):
        for row, article in enumerate(file):
            before = state.get(article.pmid)
            if article.deleted:
                unknown += before is None
                state.pop(article.pmid, None)
            elif before and article.version < before.article.version:
                continue
            elif article.unusable:
                state.pop(article.pmid, None)
            elif before is None or said(article) != said(before.article):
                state[article.pmid] = Place(part, row, article)
    return state, unknown


def compared(before: State, after: State, touched: set[int], unknown: int) -> SnapshotCounts:
    """Count article by article; what says the same and is in `touched` was issued again."""
    kinds = dict.fromkeys(SnapshotCounts.model_fields, 0) | {"alive": len(after), "unknown_deletions": unknown}
    for pmid in {*before, *after}:
        old, new = before.get(pmid), after.get(pmid)
        if old is None or new is None:
            kind = "added" if old is None else "deleted"
        elif old.article.title != new.article.title:
            kind = "revised_text"
        elif said(old.article) != said(new.article):
            kind = "revised_metadata"
        else:
            kind = "reissued" if pmid in touched else "unchanged"
        kinds[kind] += 1
    return SnapshotCounts(**kinds)


def pmids_of(files: Sequence[File]) -> set[int]:
    return {article.pmid for file in files for article in file}


class Histories:
    """A store of article parts and snapshots."""

    def __init__(self, folder: Path) -> None:
        self.store = LocalStore(str(folder))

    def add(self, name: str, file: File) -> PartRef:
        with self.store.incoming(Layout.article_part(name)) as path:
            return write_article_part(path, name, [article_batch(file)], SourceFile(1), Rejects()).ref

    def add_all(self, files: Sequence[File], prefix: str = "part") -> tuple[PartRef, ...]:
        return tuple(self.add(f"{prefix}{number}", file) for number, file in enumerate(files))

    def snapshot(
        self, parts: Sequence[PartRef], previous: Snapshot | None = None, lineage: Lineage = LINEAGE
    ) -> Snapshot:
        plan = SnapshotPlan(lineage, tuple(parts), previous)
        write_snapshot(self.store, plan, lambda counts: None)
        return read_snapshot(self.store, plan.id)

"""The difference of two snapshots, against plain dictionaries."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.articles import pmids
from retrieval.articles.article import Article, Rejects, article_batch
from retrieval.articles.article_parts import write_article_part
from retrieval.articles.snapshot import Snapshot, read_snapshot
from retrieval.articles.snapshot_difference import compare_snapshots
from retrieval.articles.snapshot_update import SnapshotPlan, write_snapshot
from schemas.layout import Layout
from schemas.snapshot import Lineage
from tests.support.examples import examples

Record = tuple[int, str]
"""A PMID and a title; an empty one deletes."""
Files = list[list[Record]]

records = st.tuples(st.integers(1, 12), st.sampled_from(["a", "b", ""]))
files = st.lists(st.lists(records, min_size=1, max_size=6), min_size=1, max_size=4)


def snapshot(layout: Layout, files: Files, lineage: int, previous: Snapshot | None = None) -> Snapshot:
    refs = []
    for number, texts in enumerate(files):
        path = layout.article_part(f"{lineage}n{number}")
        batch = article_batch([Article(p, title=t) if t else Article(p, deleted=True) for p, t in texts])
        refs.append(write_article_part(path, [batch], 1, Rejects()).ref)
    plan = SnapshotPlan(Lineage(number=lineage), tuple(refs), previous)
    write_snapshot(layout.snapshot(plan.id), plan, layout.article_part, lambda _: None)
    return read_snapshot(Path(layout.snapshot(plan.id)))


def alive(files: Files) -> dict[int, str]:
    found: dict[int, str] = {}
    for pmid, title in (record for file in files for record in file):
        if title:
            found[pmid] = title
        else:
            found.pop(pmid, None)
    return found


@examples(5, whole=80)
@given(files, files, st.booleans(), st.integers(1, 20))
def test_rows_and_outdated_lead_from_one_to_the_other(
    tmp_path_factory: pytest.TempPathFactory, before: Files, after: Files, same_lineage: bool, class_rows: int
) -> None:
    layout = Layout(str(tmp_path_factory.mktemp("store")))
    old = snapshot(layout, before, 0)
    after = before + after if same_lineage else after
    new = snapshot(layout, after, 0 if same_lineage else 1, old if same_lineage else None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pmids, "CLASS_ROWS", class_rows)
        found = compare_snapshots(old, new)
    was, is_ = alive(before), alive(after)
    rows = [after[part][row] for part, row in zip(found.parts, found.rows, strict=True)]
    assert sorted(rows) == sorted((p, t) for p, t in is_.items() if was.get(p) != t)
    assert found.outdated.tolist() == sorted(p for p, t in was.items() if is_.get(p) != t)
    assert list(zip(found.parts, found.rows, strict=True)) == sorted(zip(found.parts, found.rows, strict=True))
    ranges = [(part, start, start + 2) for part, records in enumerate(after) for start in range(0, len(records), 2)]
    assert [row for part, start, stop in ranges for row in found.within(part, start, stop)] == found.rows.tolist()


def test_a_snapshot_does_not_differ_from_itself(tmp_path: Path) -> None:
    one = snapshot(Layout(str(tmp_path)), [[(1, "a"), (2, "b")]], 0)
    assert [len(column) for column in compare_snapshots(one, one)] == [0, 0, 0]

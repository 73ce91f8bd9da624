from pathlib import Path

import pytest

from jobs.store import (
    article_parts,
    load_selection,
    newest_snapshot,
    read_current,
    read_version,
    served_version,
    swap_current,
    versions,
)
from retrieval.articles import Article, article_batch
from retrieval.parts import write_article_part
from schemas.config import SelectionConfig
from schemas.errors import InputError, IntegrityError, StoreError
from schemas.layout import Layout
from schemas.manifest import Current
from tests.unit.jobs.stores import add_versions, set_current


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(str(tmp_path))


def add_part(layout: Layout, name: str) -> None:
    write_article_part(layout.article_part(name), [article_batch([Article(1)])], source_bytes=1)


def test_parts_are_in_file_order_and_unfinished_ones_are_not_seen(layout: Layout) -> None:
    for name in ("other", "pubmed26n0010", "pubmed26n0009", "pubmed25n0011"):
        add_part(layout, name)
    (Path(layout.article_parts) / ".pubmed26n0012.parquet").write_bytes(b"half")
    names = [part.name for part in article_parts(layout)]
    assert names == ["pubmed25n0011", "pubmed26n0009", "pubmed26n0010", "other"]


def test_a_store_that_does_not_exist_is_empty(layout: Layout) -> None:
    assert (article_parts(layout), versions(layout), read_current(layout)) == ([], [], None)


def test_an_empty_store_has_no_snapshot(layout: Layout) -> None:
    with pytest.raises(StoreError, match=r"holds no articles; run pubray ingest --source … first"):
        newest_snapshot(layout, [])


def test_parts_without_their_snapshot_are_an_unfinished_ingest(layout: Layout) -> None:
    add_part(layout, "one")
    with pytest.raises(StoreError, match=r"article parts without a snapshot; run pubray ingest again"):
        newest_snapshot(layout, article_parts(layout))


def test_versions_are_oldest_first(layout: Layout) -> None:
    add_versions(layout, "b", "c", "a")
    assert [v.id for v in versions(layout)] == ["b", "c", "a"]


def test_the_served_version_is_the_one_that_current_names(layout: Layout) -> None:
    add_versions(layout, "a", "b")
    with pytest.raises(StoreError, match=r"has no CURRENT version; run pubray index, then pubray promote"):
        served_version(layout)
    set_current(layout, Current(version="a"))
    assert served_version(layout).id == "a"


def test_a_manifest_that_is_not_json_is_refused_by_name(layout: Layout) -> None:
    add_versions(layout, "a")
    path = Path(layout.version("a"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(IntegrityError, match=str(path)):
        read_version(layout, "a")


def test_current_is_swapped_only_from_what_was_seen(layout: Layout) -> None:
    one, two, three = Current(version="a"), Current(version="b", epoch=2), Current(version="c", epoch=2)
    swap_current(layout, None, one)
    swap_current(layout, one, two)
    for stale in (None, one):
        with pytest.raises(StoreError, match=r"changed by somebody else meanwhile; look at pubray status"):
            swap_current(layout, stale, three)
    assert read_current(layout) == two


def test_a_selection_that_is_a_list_is_named_by_what_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "pmids.txt"
    file.write_text("3\n1 # one\n")
    name, pmids = load_selection(SelectionConfig(rule="pmids", file=str(file)))
    assert pmids is not None
    assert pmids.tolist() == [1, 3]
    file.write_text("1\n3\n")
    assert load_selection(SelectionConfig(rule="pmids", file=str(file)))[0] == name
    file.write_text("1\n4\n")
    assert load_selection(SelectionConfig(rule="pmids", file=str(file)))[0] != name


def test_other_selections_are_named_by_their_rule() -> None:
    assert load_selection(SelectionConfig(rule="all")) == ("all", None)


def test_a_selection_needs_its_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"needs selection\.file"):
        load_selection(SelectionConfig(rule="pmids"))
    missing = str(tmp_path / "none.txt")
    with pytest.raises(InputError, match=missing):
        load_selection(SelectionConfig(rule="pmids", file=missing))

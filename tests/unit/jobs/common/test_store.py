from pathlib import Path

import pytest

from jobs.common.store import (
    article_parts,
    ingested,
    load_selection,
    newest_snapshot,
    read_current,
    read_version,
    served_version,
    snapshots,
    swap_current,
    versions,
)
from schemas.article import Article
from schemas.config import SelectionConfig
from schemas.errors import InputError, IntegrityError, MovedError, StoreError
from schemas.layout import Layout
from schemas.manifest import Current
from schemas.snapshot import Lineage
from tests.support.stores.store_files import add_part, add_snapshot, add_versions, set_current


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(str(tmp_path))


def test_parts_are_named_and_unfinished_ones_are_not_seen(layout: Layout) -> None:
    for name in ("other", "pubmed26n0010"):
        add_part(layout, name)
    (Path(layout.article_parts) / ".pubmed26n0012.parquet").write_bytes(b"half")
    (Path(layout.article_parts) / ".pubmed26n0012.parquet.1234.tmp").write_bytes(b"half")
    assert article_parts(layout) == {"pubmed26n0010", "other"}


def test_a_store_that_does_not_exist_is_empty(layout: Layout) -> None:
    assert (article_parts(layout), versions(layout), read_current(layout)) == (set(), [], None)
    assert (snapshots(layout), newest_snapshot(layout)) == ([], None)


def test_parts_without_a_snapshot_are_not_ingested(layout: Layout) -> None:
    add_part(layout, "one")
    with pytest.raises(StoreError) as error:
        ingested(layout)
    assert str(error.value).endswith("holds no snapshot of articles; run pubray ingest --source … first")


def test_the_newest_snapshot_is_that_of_the_newest_lineage_and_of_most_parts(layout: Layout) -> None:
    parts = [add_part(layout, f"pubmed26n000{number}", Article(number)) for number in range(1, 4)]
    one = add_snapshot(layout, parts[:1])
    three = add_snapshot(layout, parts, one)
    two = add_snapshot(layout, parts[:2], one)
    assert snapshots(layout) == [one, two, three]
    assert ingested(layout) == newest_snapshot(layout) == three
    next_year = add_snapshot(layout, parts[:1], three, Lineage(number=1, baseline=("pubmed26n0001",)))
    assert newest_snapshot(layout) == next_year
    (Path(layout.snapshots) / ".later.parquet").write_bytes(b"half")
    assert newest_snapshot(layout) == next_year


def test_a_broken_snapshot_is_refused_by_name(layout: Layout) -> None:
    path = Path(add_snapshot(layout, [add_part(layout, "one")]).path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(IntegrityError, match=rf"^{path}: not whole Parquet"):
        ingested(layout)


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
    add_versions(layout, "a", "b", "c")
    one, two, three = Current(version="a"), Current(version="b", epoch=2), Current(version="c", epoch=2)
    swap_current(layout, None, one)
    swap_current(layout, one, two)
    for stale in (None, one):
        with pytest.raises(
            StoreError, match=r"changed, or a version removed, by somebody else meanwhile; look at pubray status"
        ):
            swap_current(layout, stale, three)
    assert read_current(layout) == two
    Path(layout.version("c")).unlink()
    with pytest.raises(MovedError):
        swap_current(layout, two, three)  # which gc has removed
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

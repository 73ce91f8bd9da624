from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from jobs.common.store import (
    article_parts,
    change_current,
    ingested,
    keep_selection,
    newest_snapshot,
    read_current,
    read_version,
    served_version,
    snapshots,
    swap_current,
    version_names,
    versions,
)
from retrieval.articles.pmids import read_selection
from schemas.article import Article
from schemas.config import SelectionConfig
from schemas.errors import InputError, IntegrityError, MovedError, StoreError
from schemas.layout import Layout
from schemas.manifest import Current
from schemas.snapshot import Lineage
from tests.support.stores.store_files import add_part, add_snapshot, add_versions, set_current


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path))


def test_parts_are_named_and_unfinished_ones_are_not_seen(store: LocalStore) -> None:
    for name in ("other", "pubmed26n0010"):
        add_part(store, name)
    (store.path("articles") / ".pubmed26n0012.parquet").write_bytes(b"half")
    (store.path("articles") / ".pubmed26n0012.parquet.1234.tmp").write_bytes(b"half")
    assert article_parts(store) == {"pubmed26n0010", "other"}


def test_a_store_that_does_not_exist_is_empty(store: LocalStore) -> None:
    assert (article_parts(store), versions(store), read_current(store)) == (set(), [], None)
    assert (snapshots(store), newest_snapshot(store)) == ([], None)


def test_parts_without_a_snapshot_are_not_ingested(store: LocalStore) -> None:
    add_part(store, "one")
    with pytest.raises(StoreError) as error:
        ingested(store)
    assert str(error.value).endswith("holds no snapshot of articles; run pubray ingest --source … first")


def test_the_newest_snapshot_is_that_of_the_newest_lineage_and_of_most_parts(store: LocalStore) -> None:
    parts = [add_part(store, f"pubmed26n000{number}", Article(number)) for number in range(1, 4)]
    one = add_snapshot(store, parts[:1])
    three = add_snapshot(store, parts, one)
    two = add_snapshot(store, parts[:2], one)
    assert snapshots(store) == [one, two, three]
    assert ingested(store) == newest_snapshot(store) == three
    next_year = add_snapshot(store, parts[:1], three, Lineage(number=1, baseline=("pubmed26n0001",)))
    assert newest_snapshot(store) == next_year
    (store.path("snapshots") / ".later.parquet").write_bytes(b"half")
    assert newest_snapshot(store) == next_year


def test_a_broken_snapshot_is_refused_by_name(store: LocalStore) -> None:
    path = store.path(add_snapshot(store, [add_part(store, "one")]).key)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(IntegrityError, match=rf"^{path}: not whole Parquet"):
        ingested(store)


def test_versions_are_oldest_first(store: LocalStore) -> None:
    add_versions(store, "b", "c", "a")
    assert [v.id for v in versions(store)] == ["b", "c", "a"]


def test_the_served_version_is_the_one_that_current_names(store: LocalStore) -> None:
    add_versions(store, "a", "b")
    with pytest.raises(StoreError, match=r"has no CURRENT version; run pubray index, then pubray promote"):
        served_version(store)
    set_current(store, Current(version="a"))
    assert served_version(store).id == "a"


def test_a_manifest_that_is_not_json_is_refused_by_name(store: LocalStore) -> None:
    add_versions(store, "a")
    path = store.path(Layout.version("a"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(IntegrityError, match=str(path)):
        read_version(store, "a")


def test_current_is_swapped_only_from_what_was_seen(store: LocalStore) -> None:
    one, two, three = Current(version="a"), Current(version="b", epoch=2), Current(version="c", epoch=2)
    swap_current(store, None, one)
    swap_current(store, one, two)
    for stale in (None, one):
        with pytest.raises(MovedError, match=r"^CURRENT was changed by somebody else meanwhile; look at pubray status"):
            swap_current(store, stale, three)
    assert read_current(store) == two


def test_current_is_changed_from_what_it_has_become_meanwhile(store: LocalStore) -> None:
    swap_current(store, None, Current(version="a"))
    tries = list[str | None]()

    def change(current: Current) -> Current:
        tries.append(current.version)
        if current.version == "a":  # somebody else is faster
            swap_current(store, current, Current(version="b"))
        return current.model_copy(update={"epoch": 7})

    change_current(store, change)
    assert (tries, read_current(store)) == (["a", "b"], Current(version="b", epoch=7))
    change_current(store, lambda current: current)
    assert store.path(Layout.current).exists()


def test_where_there_is_no_current_nothing_is_changed(store: LocalStore) -> None:
    change_current(store, lambda current: current.model_copy(update={"epoch": 7}))
    assert read_current(store) is None


def test_versions_that_are_being_removed_are_none(store: LocalStore) -> None:
    add_versions(store, "a", "b")
    swap_current(store, None, Current(version="a", removing=("b",)))
    assert version_names(store) == ["a"]
    assert [version.id for version in versions(store)] == ["a"]


def test_a_selection_that_is_a_list_is_named_by_what_is_in_it_and_lies_in_the_store(
    store: LocalStore, tmp_path: Path
) -> None:
    file = tmp_path / "pmids.txt"
    config = SelectionConfig(rule="pmids", file=str(file))
    file.write_text("3\n1 # one\n")
    name = keep_selection(store, config)
    pmids = read_selection(store, name)
    assert pmids is not None
    assert pmids.tolist() == [1, 3]
    file.write_text("1\n3\n")
    assert keep_selection(store, config) == name
    file.write_text("1\n4\n")
    assert keep_selection(store, config) != name


def test_other_selections_are_named_by_their_rule(store: LocalStore) -> None:
    assert keep_selection(store, SelectionConfig(rule="all")) == "all"
    assert read_selection(store, "all") is None


def test_a_selection_needs_its_file(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"needs selection\.file"):
        keep_selection(store, SelectionConfig(rule="pmids"))
    missing = str(tmp_path / "none.txt")
    with pytest.raises(InputError, match=missing):
        keep_selection(store, SelectionConfig(rule="pmids", file=missing))

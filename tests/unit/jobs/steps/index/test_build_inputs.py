"""What a build takes up, and by what it is named."""

from pathlib import Path

import pytest

from jobs.steps.index import build_inputs
from jobs.steps.index.build_inputs import BuildInputs
from jobs.steps.index.version_build import Build
from retrieval.articles.snapshot import compare_snapshots
from retrieval.articles.snapshot_update import SnapshotPlan, write_snapshot
from retrieval.files.checked import write_bytes
from schemas.article import Article
from schemas.config import Config
from schemas.layout import Layout
from schemas.manifest import Current
from tests.support.service.seams import VERSION
from tests.support.stores.made_store import MadeStore
from tests.support.stores.store_files import set_current


@pytest.fixture
def store(tiny_encoder: Path, tmp_path: Path) -> MadeStore:
    """A store of made articles, with vectors and without a version."""
    made = MadeStore(tmp_path, tiny_encoder)
    made.publish([Article(pmid, title=f"title {pmid}") for pmid in range(1, 11)])
    return made


def served(store: MadeStore, config: Config, name: str = "v1") -> None:
    """Let CURRENT be a version that a build of this configuration can build on."""
    build = BuildInputs(config, full=False)
    of_build = {"id": name, "recipe": build.recipe, "rules": build.rules, "snapshot": build.snapshot.id}
    write_bytes(store.files, Layout.version(name), VERSION.model_copy(update=of_build).model_dump_json().encode())
    set_current(store.files, Current(version=name))


def test_a_build_is_named_by_all_that_it_is_made_of(store: MadeStore) -> None:
    config = store.config
    named = {
        BuildInputs(one, full=False).id
        for one in (
            config,
            config.with_values(index={"nlist": 3}),
            config.with_values(index={"nprobe": 3}),
            config.with_values(index={"target_recall": 0.9}),
            config.with_values(selection={"rule": "abstract"}),
        )
    }
    assert len(named) == 5
    unlike = config.with_values(index={"recall_floor": 0.5, "min_workers": 7}, engine={"batch_tokens": 8})
    assert BuildInputs(unlike, full=False).id == BuildInputs(config, full=False).id
    store.publish([Article(11)])
    assert BuildInputs(config, full=False).id not in named


def test_how_an_index_is_searched_changes_no_row_of_it(store: MadeStore) -> None:
    plain, wide = (BuildInputs(c, full=False) for c in (store.config, store.config.with_values(index={"nprobe": 9})))
    assert (plain.rows_digest, plain.recipe) == (wide.rows_digest, wide.recipe)
    assert plain.rules != wide.rules


def test_another_mesh_tree_is_another_version_of_the_same_segments(store: MadeStore) -> None:
    served(store, store.config)
    plain = BuildInputs(store.config, full=False)
    info = plain.snapshot.info
    plan = SnapshotPlan(info.lineage, info.parts, plain.snapshot, mesh_tree="a tree")
    write_snapshot(store.files, plan, lambda counts: None)
    with_tree = BuildInputs(store.config, full=False)
    assert (with_tree.recipe, with_tree.parent) == (plain.recipe, plain.parent)
    assert with_tree.rules != plain.rules
    assert with_tree.existing() is None
    build = Build(store.config, full=False)
    assert build._work_of(compare_snapshots(store.files, plain.snapshot, with_tree.snapshot)) == []


def test_pieces_of_an_earlier_format_are_not_taken_for_those_of_a_full_build(
    store: MadeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = BuildInputs(store.config, full=True)
    monkeypatch.setattr(build_inputs, "NEWEST", 1)
    earlier = BuildInputs(store.config, full=True)
    assert earlier.id != newest.id
    assert (earlier.recipe, earlier.rows_digest) == (newest.recipe, newest.rows_digest)


def test_a_build_goes_on_from_a_current_version_of_its_recipe(store: MadeStore) -> None:
    served(store, store.config)
    parent = BuildInputs(store.config, full=False).parent
    assert parent
    assert parent.id == "v1"
    assert BuildInputs(store.config, full=True).parent is None
    assert BuildInputs(store.config.with_values(index={"nlist": 3}), full=False).parent is None


def test_what_is_as_fresh_as_the_build_is_there(store: MadeStore) -> None:
    assert BuildInputs(store.config, full=False).existing() is None
    served(store, store.config)
    found = BuildInputs(store.config, full=False).existing()
    assert found
    assert found.id == "v1"
    store.publish([Article(11)])
    later = BuildInputs(store.config, full=False)
    assert later.existing() is None
    made = VERSION.model_copy(update={"id": later.id})
    write_bytes(store.files, Layout.version(later.id), made.model_dump_json().encode())
    assert later.existing() == made

import re
from pathlib import Path

import pytest

from actors.fetch.stored_models import brought
from actors.store.local_store import LocalStore
from actors.store.stores import open_store
from jobs import copy, promote, status
from jobs.common.contents import contents_of
from jobs.common.store import read_current, read_version
from retrieval.articles.article import read_article_part
from retrieval.files.checked import write_bytes
from retrieval.operate.garbage import Contents
from schemas.article import Article
from schemas.encoder import TowerSpec
from schemas.errors import IntegrityError, StoreError, UsageError
from schemas.layout import Layout
from schemas.manifest import Current
from tests.support.s3.moto_server import moto_server
from tests.support.stores.hand_made_version import write_version
from tests.support.stores.store_files import add_part, add_snapshot, config, set_current


@pytest.fixture
def source(tmp_path: Path, tiny_encoder: Path) -> LocalStore:
    """Two versions, one of them CURRENT, and what they need."""
    store = LocalStore(str(tmp_path / "source"))
    made = write_version(store)
    snapshot = add_snapshot(store, [add_part(store, "a", Article(1))])
    tower = TowerSpec(model=str(tiny_encoder), max_length=8)
    for name, segments in {"one": made.segments[:1], "two": made.segments}.items():
        models = brought(config(tmp_path / "source", cache=str(tmp_path / "models")), tower).stored
        of = {"id": name, "snapshot": snapshot.id, "segments": segments, "models": models}
        version = made.model_copy(update=of)
        write_bytes(store, Layout.version(name), version.model_dump_json().encode())
    set_current(store, Current(version="two", history=("one",)))
    write_bytes(store, "shards/x/0/lists.faiss", b"temporary")
    return store


def keys(root: str) -> set[str]:
    return {one.key for one in LocalStore(root).entries("")}


def test_a_store_is_copied_to_a_bucket_and_back_and_a_rerun_copies_nothing(source: LocalStore, tmp_path: Path) -> None:
    bucket, back = "s3://b-1/copied", str(tmp_path / "back")
    own = config(tmp_path).with_values(cache=str(tmp_path / "cache"))
    with moto_server():
        first = copy.run(own, source=source.root, target=bucket)
        assert (first.versions, first.current, first.copied) == (("one", "two"), "two", first.objects)
        assert copy.run(own, source=source.root, target=bucket).copied == 0
        in_bucket = own.with_values(store=bucket)
        status.run(in_bucket, verify=True)
        promote.run(in_bucket, version="one")
        assert copy.run(own, source=bucket, target=back).current == "one"
        assert read_version(open_store(in_bucket), "two") == read_version(source, "two")
    assert keys(back) == keys(source.root) - {"shards/x/0/lists.faiss"}
    status.run(config(Path(back)), verify=True)


def test_one_version_comes_with_what_it_needs(source: LocalStore, tmp_path: Path) -> None:
    report = copy.run(config(tmp_path), source=source.root, target=str(tmp_path / "one"), version="one")
    assert (report.versions, report.current) == (("one",), None)
    found = keys(str(tmp_path / "one"))
    assert {"versions/one.json", "articles/a.parquet", "segments/s0/segment.json"} <= found
    assert not {"versions/two.json", "segments/s1/segment.json", "CURRENT"} & found
    [model] = read_version(source, "one").models.values()
    assert f"models/{model}/pubray.json" in found
    promote.run(config(tmp_path / "one"), version="one")


def test_a_current_of_its_own_stays(source: LocalStore, tmp_path: Path) -> None:
    goal = LocalStore(str(tmp_path / "goal"))
    set_current(goal, Current(version="its own"))
    assert copy.run(config(tmp_path), source=source.root, target=goal.root).current == "its own"
    assert read_current(goal) == Current(version="its own")


def test_a_file_that_is_not_what_it_was_is_not_copied(source: LocalStore, tmp_path: Path) -> None:
    path = source.path("segments/s0/rows.f16")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError, match=r"rows\.f16: sha256"):
        copy.run(config(tmp_path), source=source.root, target=str(tmp_path / "goal"))
    assert not any(key.startswith(("versions", "segments/s0", "CURRENT")) for key in keys(str(tmp_path / "goal")))


def test_what_the_target_has_otherwise_is_refused_and_stays(source: LocalStore, tmp_path: Path) -> None:
    goal = LocalStore(str(tmp_path / "goal"))
    copy.run(config(tmp_path), source=source.root, target=goal.root)
    kept = goal.read(Layout.version("one"))
    assert kept
    for key, content in {
        Layout.article_part("a"): b"of another store",
        Layout.version("one"): kept.replace(b'"one"', b'"two"'),
        "segments/s0/segment.json": re.sub(rb'"head": ?"', b'"head":"0', goal.read("segments/s0/segment.json") or b""),
    }.items():
        before = goal.read(key)
        goal.path(key).write_bytes(content)
        with pytest.raises(StoreError, match=r"is another than .*; copy to an empty place"):
            copy.run(config(tmp_path), source=source.root, target=goal.root)
        assert goal.read(key) == content
        goal.path(key).write_bytes(before or b"")
    copy.run(config(tmp_path), source=source.root, target=goal.root)


@pytest.mark.parametrize("key", ["segments/s0", "versions/one.json", "articles/a.parquet", "truths", "models"])
def test_what_goes_meanwhile_is_told_and_no_version_lacks_it(
    key: str, source: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(store: LocalStore) -> Contents:
        found = contents_of(store)
        store.remove(key)
        return found

    monkeypatch.setattr(copy, "contents_of", look)
    with pytest.raises(StoreError):
        copy.run(config(tmp_path), source=source.root, target=str(tmp_path / "goal"))
    assert "CURRENT" not in keys(str(tmp_path / "goal"))
    assert not source.path(key).exists()


def test_what_no_version_needs_stays_where_it_is(source: LocalStore, tmp_path: Path) -> None:
    add_part(source, "b", Article(2))
    add_snapshot(source, [read_article_part(source, "b").ref])
    write_bytes(source, "vectors/other/all/a.parquet", b"of an encoder that has no version")
    write_bytes(source, "segments/half/rows.f16", b"of a run that was killed")
    write_bytes(source, "models/half/model.safetensors", b"of another")
    set_current(source, Current(version="two", removing=("one",)))
    copy.run(config(tmp_path), source=source.root, target=str(tmp_path / "all"))
    copied = keys(str(tmp_path / "all"))
    assert {"articles/b.parquet", "vectors/other/all/a.parquet"} <= copied
    assert not {"segments/half/rows.f16", "models/half/model.safetensors", "versions/one.json"} & copied
    copy.run(config(tmp_path), source=source.root, target=str(tmp_path / "two"), version="two")
    assert not {"articles/b.parquet", "vectors/other/all/a.parquet"} & keys(str(tmp_path / "two"))


def test_nonsense_is_refused(source: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="are one store; name another target"):
        copy.run(config(tmp_path), source=source.root, target=source.root)
    with pytest.raises(StoreError, match="holds nothing to copy"):
        copy.run(config(tmp_path), source=str(tmp_path / "none"), target=str(tmp_path / "goal"))

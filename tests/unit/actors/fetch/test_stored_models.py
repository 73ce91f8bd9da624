"""Models in a store: brought once, found by nodes that have nothing else."""

import hashlib
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch

from actors.fetch.model_folders import model_digests
from actors.fetch.stored_models import (
    as_built,
    brought,
    configured_models,
    folder_of,
    found_before,
    read_model,
    tower_digests,
)
from actors.store.stores import open_store
from schemas.config import Config, RerankConfig
from schemas.encoder import TowerSpec
from schemas.errors import InputError, IntegrityError, StoreError, WeightsError
from schemas.layout import MODEL_MANIFEST, Layout
from tests.support.models import tiny
from tests.support.s3.moto_server import moto_server
from tests.support.service.seams import VERSION
from tests.support.stores import store_files

NAME, REVISION = "owner/tiny", "c0ffee"


def configured(store: str, folder: Path) -> Config:
    """With both towers from a hub, and a folder of models that has them."""
    tower = {"model": NAME, "revision": REVISION}
    config = store_files.config(folder, cache=str(folder / "driver"), models=str(folder / "models"))
    return config.with_values(store=store, encoder={"query": tower, "article": tower})


@pytest.fixture(params=["folder", "bucket"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Config]:
    tiny.encoder(tmp_path / "models" / NAME)
    if request.param == "folder":
        yield configured(str(tmp_path / "store"), tmp_path)
        return
    with moto_server():
        yield configured(f"s3://b-1/{tmp_path.name}", tmp_path)


def elsewhere(config: Config, node: Path) -> Config:
    """The configuration as it is on a node that has an empty cache, and no folder of models."""
    return config.with_values(cache=str(node), models=None)


def test_a_node_without_hub_and_folder_has_the_same_files(config: Config, tmp_path: Path) -> None:
    tower = config.encoder.query
    node = elsewhere(brought(config, tower), tmp_path / "node")
    shutil.rmtree(tmp_path / "models")
    shutil.rmtree(tmp_path / "driver")
    found = folder_of(tower, node)
    assert {path.name for path in found.iterdir()} == set(read_model(open_store(config), found.name).files)
    assert tower_digests(tower, node) == model_digests(tiny.encoder(tmp_path / "again"))
    shutil.rmtree(tmp_path / "store", ignore_errors=True)
    assert folder_of(tower, node) == found  # nothing is asked of the store any more


def test_what_a_version_was_built_with_by_a_revision_is_asked_of_no_hub(config: Config, tmp_path: Path) -> None:
    version = VERSION.model_copy(update={"models": {**brought(config, config.encoder.query).stored, "other": "1"}})
    later = elsewhere(config, tmp_path / "later")
    found = found_before(later, [version])
    assert found.stored == {f"{NAME}@{REVISION}": version.models[f"{NAME}@{REVISION}"]}
    shutil.rmtree(tmp_path / "models")
    assert brought(found, *configured_models(found)).stored == found.stored
    assert tower_digests(found.encoder.query, found) == model_digests(tiny.encoder(tmp_path / "again"))


def test_a_folder_of_models_counts_more_than_what_a_version_was_built_with(config: Config) -> None:
    version = VERSION.model_copy(update={"models": brought(config, config.encoder.query).stored})
    assert found_before(config, [version]).stored == {}


def test_a_model_without_revision_or_that_the_store_has_no_more_is_found_as_configured(
    config: Config, tmp_path: Path
) -> None:
    version = VERSION.model_copy(update={"models": brought(config, config.encoder.query).stored})
    later = elsewhere(config, tmp_path / "later")
    tower = {"model": NAME, "revision": "another"}
    assert found_before(later.with_values(encoder={"query": tower, "article": tower}), [version]).stored == {}
    gone = version.model_copy(update={"models": {f"{NAME}@{REVISION}": "0" * 64}})
    assert found_before(later, [gone]).stored == {}


def test_without_a_word_of_a_job_it_is_looked_for_as_configured(config: Config, tmp_path: Path) -> None:
    brought(config, config.encoder.query)
    assert folder_of(config.encoder.query, config) == tmp_path / "models" / NAME


def test_it_is_brought_once_and_two_at_once_bring_the_same(config: Config) -> None:
    racers = [threading.Thread(target=brought, args=(config, config.encoder.query)) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    store = open_store(config)
    before = {one.key: one.modified for one in store.entries("")}
    found = brought(config, *configured_models(config)).stored
    assert found.keys() == {f"{NAME}@{REVISION}"}
    assert {one.key: one.modified for one in store.entries("")} == before
    assert {key.split("/")[1] for key in before} == {*found.values()}
    assert list(store.unfinished()) == []


def test_what_a_stopped_upload_or_removal_left_is_taken_for_no_model(tmp_path: Path) -> None:
    tiny.encoder(tmp_path / "models" / NAME)
    with moto_server():
        config = configured(f"s3://b-1/{tmp_path.name}", tmp_path)
        [digest] = brought(config, config.encoder.query).stored.values()
        store, key = open_store(config), Layout.model(digest)
        store.remove(f"{key}/{MODEL_MANIFEST}")
        store.remove(f"{key}/config.json")
        brought(config, config.encoder.query)
        assert {one.key.removeprefix(f"{key}/") for one in store.entries(key)} == {
            MODEL_MANIFEST,
            *read_model(store, digest).files,
        }


def test_what_was_changed_in_the_store_does_not_arrive(config: Config, tmp_path: Path) -> None:
    here = brought(config, config.encoder.query)
    [digest] = here.stored.values()
    store, key = open_store(config), f"{Layout.model(digest)}/model.safetensors"
    content = store.read(key)
    assert content
    assert store.swap(key, content, content[:-1] + bytes([content[-1] ^ 1]))
    node = elsewhere(here, tmp_path / "node")
    with pytest.raises(IntegrityError, match=r"model\.safetensors.*: .*sha256"):
        folder_of(config.encoder.query, node)
    assert not (tmp_path / "node" / "models" / digest).exists()
    manifest = f"{Layout.model(digest)}/{MODEL_MANIFEST}"
    assert store.swap(manifest, store.read(manifest), b'{"files": {}}')
    with pytest.raises(IntegrityError, match="its manifest is that of"):
        read_model(store, digest)


def test_one_that_is_gone_is_told(config: Config, tmp_path: Path) -> None:
    here = brought(config, config.encoder.query)
    [digest] = here.stored.values()
    open_store(config).remove(Layout.model(digest))
    with pytest.raises(StoreError, match=f"model {digest} is not in the store: no file"):
        folder_of(config.encoder.query, elsewhere(here, tmp_path / "node"))


def test_a_file_that_its_owner_changes_stays_in_the_store(config: Config, tmp_path: Path) -> None:
    here = brought(config, config.encoder.query)
    with (tmp_path / "models" / NAME / "config.json").open("r+") as file:
        file.write("changed")
    there = brought(config, config.encoder.query)
    assert here.stored != there.stored
    node = elsewhere(here, tmp_path / "node")
    assert "changed" not in (folder_of(config.encoder.query, node) / "config.json").read_text()


def test_what_lies_in_the_cache_takes_no_room_in_a_folder_of_the_same_disk(tmp_path: Path) -> None:
    embedded = tiny.encoder(tmp_path / "driver" / "embedded" / "tiny")
    tower = TowerSpec(model=str(embedded), max_length=8)
    [digest] = brought(configured(str(tmp_path / "store"), tmp_path), tower).stored.values()
    folders = [embedded, tmp_path / "store" / Layout.model(digest), tmp_path / "driver" / "models" / digest]
    assert len({(folder / "model.safetensors").stat().st_ino for folder in folders}) == 1


def test_of_a_hub_too_whose_cache_are_links(tmp_path: Path) -> None:
    folder = tiny.encoder(tmp_path / "driver" / "blobs")
    linked = tmp_path / "driver" / "snapshot"
    linked.mkdir()
    for path in folder.iterdir():
        (linked / path.name).symlink_to(path)
    config = configured(str(tmp_path / "store"), tmp_path)
    [digest] = brought(config, TowerSpec(model=str(linked), max_length=8)).stored.values()
    assert not any(path.is_symlink() for path in (tmp_path / "store" / Layout.model(digest)).iterdir())


def test_a_pickle_is_brought_as_safetensors_if_it_is_trusted(tmp_path: Path) -> None:
    folder = tiny.classifier(tmp_path / "models" / NAME)
    torch.save(safetensors.torch.load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    rerank = RerankConfig(kind="cross-encoder", model=NAME, revision=REVISION)
    config = configured(str(tmp_path / "store"), tmp_path).with_values(rerank=rerank.model_dump())
    assert configured_models(config)[2:] == [rerank]
    with pytest.raises(InputError, match="is a pickle"):
        brought(config, rerank)
    sha256 = hashlib.sha256((folder / "pytorch_model.bin").read_bytes()).hexdigest()
    trusted = rerank.model_copy(update={"bin_sha256": sha256})
    here = brought(config, trusted)
    names = {path.name for path in folder_of(trusted, elsewhere(here, tmp_path / "node")).iterdir()}
    assert "model.safetensors" in names
    assert "pytorch_model.bin" not in names


def test_a_model_that_is_nowhere_is_told_before_anything_is_written(tmp_path: Path) -> None:
    config = configured(str(tmp_path / "store"), tmp_path).with_values(encoder={"query": {"revision": None}})
    with pytest.raises(WeightsError):
        brought(config, config.encoder.query)
    assert not (tmp_path / "store").exists()


def test_a_version_says_which_models_it_was_built_with(tmp_path: Path) -> None:
    config = configured(str(tmp_path / "store"), tmp_path)
    built = VERSION.model_copy(update={"models": {f"{NAME}@{REVISION}": "digest"}})
    assert as_built(config, built).stored == built.models
    assert as_built(config, VERSION) == config

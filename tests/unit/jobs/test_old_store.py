"""A store that an earlier pubray wrote is read, found complete and gone on with: paths, names and bytes stay.

`store-2026-11.tar.xz` was written by commit 764feb4, the last one before the rooms: 24 records of PubMed's 1970s as a
baseline of two files, and a night that revises, retracts, deletes and adds; a model of a few thousand random weights,
the configuration, and what three searches found.
"""

import json
import tarfile
from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from jobs import index, search, status
from jobs.common.config import ROOT, load_config
from jobs.common.store import newest_snapshot, served_version
from schemas.config import Config

STORE = ROOT / "tests" / "support" / "data" / "store-2026-11.tar.xz"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with tarfile.open(STORE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


@pytest.fixture
def config(folder: Path) -> Config:
    environment = {"PUBRAY_STORE": str(folder / "store"), "PUBRAY_MODELS": str(folder / "models")}
    return load_config(str(folder / "config.toml"), [], environment)


def test_every_byte_is_what_it_was(config: Config) -> None:
    report = status.run(config, verify=True)
    assert report.current == served_version(LocalStore(config.store)).id


def test_searches_find_what_they_found(folder: Path, config: Config) -> None:
    for answer in json.loads((folder / "answers.json").read_text()):
        found = search.run(config, query=answer["query"], k=5, no_rerank=True)
        assert found.version == answer["version"]
        assert [hit.id for hit in found.hits] == [hit["id"] for hit in answer["hits"]]
        assert [hit.article.title for hit in found.hits] == [hit["title"] for hit in answer["hits"]]
        assert [hit.score for hit in found.hits] == pytest.approx([hit["score"] for hit in answer["hits"]], abs=1e-5)


def test_an_index_of_it_is_there_already(config: Config) -> None:
    """So every digest is what it was: those of snapshot, selection, article space, recipe and rules."""
    snapshot = newest_snapshot(LocalStore(config.store))
    assert snapshot
    assert snapshot.info.counts.alive == 23
    report = index.run(config)
    assert (report.built, report.version) == (False, served_version(LocalStore(config.store)).id)

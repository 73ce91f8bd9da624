from pathlib import Path

import numpy as np
import pytest

from actors.fetch.stored_models import brought
from actors.store.local_store import LocalStore
from jobs.steps.index.version_files import check_answers, check_bytes
from retrieval.files.checked import file_digest
from retrieval.rows.row_numbers import write_tombstones
from schemas.encoder import TowerSpec
from schemas.errors import IntegrityError, StoreError
from schemas.layout import PMIDS, Layout
from schemas.manifest import IndexVersion
from tests.support.stores.hand_made_version import write_version
from tests.support.stores.store_files import config


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path))


@pytest.fixture
def version(store: LocalStore) -> IndexVersion:
    return write_version(store)


def test_a_whole_version_answers(store: LocalStore, version: IndexVersion) -> None:
    check_answers(store, version)
    check_bytes(store, version)


@pytest.mark.parametrize("lost", ["quantizers", "truths", "segments/s0"])
def test_what_an_answer_needs_is_missed(lost: str, store: LocalStore, version: IndexVersion) -> None:
    for file in Path(store.root, lost).iterdir():
        file.unlink()
    for check in (check_answers, check_bytes):
        with pytest.raises(StoreError):
            check(store, version)


def test_a_model_that_is_not_what_it_was_is_found(
    store: LocalStore, version: IndexVersion, tiny_encoder: Path, tmp_path: Path
) -> None:
    tower = TowerSpec(model=str(tiny_encoder), max_length=8)
    models = brought(config(Path(store.root), cache=str(tmp_path / "cache")), tower).stored
    [model] = models.values()
    version = version.model_copy(update={"models": models})
    check_bytes(store, version)
    weights = store.path(f"{Layout.model(model)}/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError, match=r"model\.safetensors: sha256"):
        check_bytes(store, version)


def test_a_version_without_a_live_row_does_not_answer(store: LocalStore, version: IndexVersion) -> None:
    buried = {s.id: write_tombstones(store, np.arange(s.rows)) for s in version.segments}
    with pytest.raises(IntegrityError, match="finds nothing; run pubray index --full"):
        check_answers(store, version.model_copy(update={"tombstones": buried}))


def test_rows_of_other_articles_are_found(store: LocalStore, version: IndexVersion) -> None:
    path = Path(store.path(Layout.segment("s1")), PMIDS)
    path.write_bytes(np.fromfile(path, np.int64)[::-1].tobytes())
    with pytest.raises(IntegrityError, match=r"pmids\.i64: sha256"):
        check_bytes(store, version)
    first, second = version.segments
    wrong = second.model_copy(update={"files": second.files | {PMIDS: file_digest(path)}})
    with pytest.raises(IntegrityError, match=r"rows of other articles than pmids\.i64 says"):
        check_bytes(store, version.model_copy(update={"segments": (first, wrong)}))

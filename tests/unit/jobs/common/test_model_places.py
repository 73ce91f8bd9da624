"""PUBRAY_MODELS: models of a folder come before the hub, for every job."""

import shutil
from pathlib import Path

import pytest

from actors.fetch.embedded_wheels import embedded_folder
from jobs.common.config import ROOT, load_config
from schemas.errors import UsageError
from tests.support.models.embedded_model import CACHE

MEDCPT = str(ROOT / "infra" / "config" / "medcpt.toml")


def test_models_of_a_folder_come_before_the_hub(tmp_path: Path) -> None:
    query, cross = tmp_path / "ncbi" / "MedCPT-Query-Encoder", tmp_path / "MedCPT-Cross-Encoder"
    for folder in (query, cross):
        folder.mkdir(parents=True)
    hub = load_config(MEDCPT, [], {})
    config = load_config(MEDCPT, [], {"PUBRAY_MODELS": str(tmp_path)})
    assert (config.encoder.query.model, config.encoder.query.revision) == (str(query), None)
    assert (config.rerank.model, config.rerank.revision) == (str(cross), None)
    assert config.rerank.bin_sha256 == hub.rerank.bin_sha256
    assert config.encoder.article == hub.encoder.article  # not in the folder
    assert config.encoder.identity() == hub.encoder.identity()


def test_owner_and_name_come_before_the_name_alone(tmp_path: Path) -> None:
    for name in ("ncbi/MedCPT-Query-Encoder", "MedCPT-Query-Encoder"):
        (tmp_path / name).mkdir(parents=True)
    config = load_config(MEDCPT, [], {"PUBRAY_MODELS": str(tmp_path)})
    assert config.encoder.query.model == str(tmp_path / "ncbi" / "MedCPT-Query-Encoder")


def test_a_folder_that_the_config_names_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("mine/model", "models/model"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    config = load_config(None, ["encoder.query.model=mine/model"], {"PUBRAY_MODELS": "models"})
    assert config.encoder.query.model == "mine/model"
    assert config.encoder.article.model == "embedded:all-MiniLM-L6-v2"


def test_a_folder_of_models_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        load_config(None, [], {"PUBRAY_MODELS": str(tmp_path / "none")})
    assert str(error.value).startswith(f"PUBRAY_MODELS = '{tmp_path}/none': no such folder")


def test_a_spec_is_read_from_the_folder_too(tmp_path: Path) -> None:
    shutil.copytree(embedded_folder("all-MiniLM-L6-v2", CACHE), tmp_path / "models" / "owner" / "mini")
    file = tmp_path / "config.toml"
    file.write_text("store = 'x'\n[encoder]\nsentence_transformers = 'owner/mini'\nrevision = 'c0ffee'\n")
    encoder = load_config(str(file), [], {"PUBRAY_MODELS": str(tmp_path / "models")}).encoder
    assert (encoder.query.model, encoder.query.revision) == (str(tmp_path / "models" / "owner" / "mini"), None)
    assert encoder.identity()["pooling"] == "mean"

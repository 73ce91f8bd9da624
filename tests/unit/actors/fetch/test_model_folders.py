"""Where weights lie, and what names them."""

from pathlib import Path

import pytest
import safetensors.torch

from actors.fetch.model_folders import model_digests, model_folder, tower_digests
from schemas.encoder import TowerSpec
from schemas.errors import InputError, UsageError, WeightsError
from tests.support.models import tiny
from tests.support.models.embedded_model import CACHE


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert model_folder(str(tmp_path), None, Path("unused")) == tmp_path


def test_a_folder_may_start_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert model_folder("~/model", None, Path("unused")) == tmp_path / "model"


def test_an_embedded_model_lies_in_the_cache() -> None:
    folder = model_folder("embedded:all-MiniLM-L6-v2", None, CACHE)
    assert folder.is_relative_to(CACHE)
    assert (folder / "model.safetensors").exists()


def test_an_unknown_embedded_model_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'MedCPT'"):
        model_folder("embedded:MedCPT", None, tmp_path)


def test_a_hub_model_needs_a_revision(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as error:
        model_folder("ncbi/MedCPT-Query-Encoder", None, tmp_path)
    assert str(error.value) == (
        "model 'ncbi/MedCPT-Query-Encoder': no such folder, and no revision to fetch from a model hub; give one"
    )


def test_a_hub_that_gives_nothing_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError) as error:
        model_folder("ncbi/MedCPT-Query-Encoder", "d83a36c", tmp_path)
    assert str(error.value).startswith("model 'ncbi/MedCPT-Query-Encoder': no folder of that name")
    assert "\n" not in str(error.value)


def test_a_path_that_is_no_hub_name_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^model 'models/missing/folder': no folder .* \(Repo id must be in the form"):
        model_folder("models/missing/folder", "d83a36c", tmp_path)


def test_digests_change_with_the_file_they_are_of_and_no_other(tmp_path: Path) -> None:
    folder = tiny.encoder(tmp_path / "model")
    before = model_digests(folder)
    (folder / "README.md").write_text("new")
    assert model_digests(folder) == before
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + "\n")
    other_tokenizer = model_digests(folder)
    assert (other_tokenizer.weights, other_tokenizer.tokenizer != before.tokenizer) == (before.weights, True)
    tiny.encoder(folder, seed=1)
    assert model_digests(folder).weights != before.weights


def test_the_digest_covers_every_file_of_the_weights(tmp_path: Path) -> None:
    folder = tiny.encoder(tmp_path / "model")
    before = model_digests(folder)
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    safetensors.torch.save_file(weights, folder / "model_2.safetensors")
    assert model_digests(folder).weights != before.weights


def test_the_same_files_elsewhere_have_the_same_digests(tmp_path: Path) -> None:
    one, two = (tiny.encoder(tmp_path / name) for name in ("one", "two"))
    tower = TowerSpec(model=str(two), max_length=8)
    assert model_digests(one) == tower_digests(tower, Path("unused"))


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_is_refused_by_both_names(missing: str, tmp_path: Path) -> None:
    folder = tiny.encoder(tmp_path / "model")
    (folder / missing).unlink()
    with pytest.raises(InputError) as error:
        model_digests(folder)
    assert str(error.value) == f"{folder}: no {missing} in it; name a model folder with safetensors weights"


def test_a_folder_with_a_pickle_alone_is_refused_as_such(tmp_path: Path) -> None:
    folder = tiny.encoder(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError) as error:
        model_digests(folder)
    assert str(error.value) == (
        f"{folder}: only pytorch_model.bin in it, a pickle, which may hold code; name a model folder with safetensors "
        "weights"
    )

"""Where weights lie, and what names them; of the model hub: what is asked of it, when, and how long.

The client is the real one, the hub a small one on loopback.
"""

import json
import socket
import time
from collections.abc import Iterator
from hashlib import sha1
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import safetensors.torch

from actors.fetch import model_folders
from actors.fetch.model_folders import hub_folder, model_digests, model_folder
from schemas.errors import InputError, UsageError, WeightsError
from tests.support.loopback import loopback_server
from tests.support.models import tiny
from tests.support.models.embedded_model import CACHE


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert model_folder(str(tmp_path), None, Path("unused")) == tmp_path


def test_a_folder_may_start_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert model_folder("~/model", None, Path("unused")) == tmp_path / "model"


def test_of_a_folder_of_models_owner_and_name_come_before_the_name_alone_and_both_before_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, owned = tmp_path / "models" / "encoder", tmp_path / "models" / "mine" / "encoder"
    named.mkdir(parents=True)
    assert model_folder("mine/encoder", "d83a36c", tmp_path, str(tmp_path / "models")) == named
    owned.mkdir(parents=True)
    assert model_folder("mine/encoder", "d83a36c", tmp_path, str(tmp_path / "models")) == owned
    (tmp_path / "mine" / "encoder").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert model_folder("mine/encoder", None, tmp_path, str(tmp_path / "models")) == Path("mine/encoder")


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
    assert model_digests(one) == model_digests(two)


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


MODEL, REVISION = "owner/model", "d83a36cc6b8e3a5c5e9d9d6ba156808c1643dcbc"
TEXTS = {"config.json": b"{}", "tokenizer.json": b"{}", "vocab.txt": b"a"}


class Hub(BaseHTTPRequestHandler):
    """Serves the files of one revision of one model, as the hub's HTTP API does."""

    files: dict[str, bytes]
    asked: list[str]

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(path)
        name = path.removeprefix(f"/{MODEL}/resolve/{REVISION}/")
        if path == f"/api/models/{MODEL}/revision/{REVISION}":
            self._send(json.dumps({"id": MODEL, "siblings": [{"rfilename": f} for f in self.files]}).encode())
        elif path == f"/api/models/{MODEL}/tree/{REVISION}":
            tree = [{"type": "file", "path": f, "size": len(c), "oid": etag(c)} for f, c in self.files.items()]
            self._send(json.dumps(tree).encode())
        elif name in self.files:
            self._send(self.files[name])
        else:
            self.send_error(404)

    def _send(self, content: bytes) -> None:
        self.send_response(200)
        for header, value in {"ETag": etag(content), "X-Repo-Commit": REVISION, "Content-Length": len(content)}.items():
            self.send_header(header, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


def etag(content: bytes) -> str:
    return sha1(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_PROGRESS_BARS", True)
    return tmp_path / "hub"


@pytest.fixture
def server(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    handler = type("OneHub", (Hub,), {"files": {}, "asked": []})
    with loopback_server(handler) as url:
        endpoint(url, monkeypatch)
        yield handler


def endpoint(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}"
    )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def refusal() -> str:
    with pytest.raises(WeightsError) as error:
        hub_folder(MODEL, REVISION)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_safetensors_are_fetched_and_the_pickle_beside_them_is_not(server: type[Hub]) -> None:
    server.files = {**TEXTS, "model.safetensors": b"s", "pytorch_model.bin": b"p", "README.md": b"r"}
    assert names(hub_folder(MODEL, REVISION)) == {*TEXTS, "model.safetensors"}


def test_the_pickle_is_fetched_where_there_is_nothing_else(server: type[Hub]) -> None:
    server.files = {**TEXTS, "pytorch_model.bin": b"p", "tf_model.h5": b"t"}
    assert names(hub_folder(MODEL, REVISION)) == {*TEXTS, "pytorch_model.bin"}


def test_for_a_spec_its_json_files_are_enough_and_the_rest_comes_when_it_is_needed(server: type[Hub]) -> None:
    server.files = {**TEXTS, "model.safetensors": b"s"}
    assert names(hub_folder(MODEL, REVISION, weights=False)) == {"config.json", "tokenizer.json"}
    assert names(hub_folder(MODEL, REVISION)) == {*TEXTS, "model.safetensors"}


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_what_was_fetched_once_is_not_asked_for_again(weights: str, server: type[Hub]) -> None:
    server.files = {**TEXTS, weights: b"w"}
    first = hub_folder(MODEL, REVISION)
    server.asked.clear()
    assert hub_folder(MODEL, REVISION) == first
    assert server.asked == []


def test_what_another_program_fetched_in_part_is_completed(server: type[Hub], cache: Path) -> None:
    server.files = {**TEXTS, "model.safetensors": b"s"}
    part = cache / "models--owner--model" / "snapshots" / REVISION
    part.mkdir(parents=True)
    (part / "model.safetensors").write_bytes(b"s")
    assert names(hub_folder(MODEL, REVISION)) == {*TEXTS, "model.safetensors"}


def test_a_revision_that_the_hub_has_not_is_told_in_one_line(
    server: type[Hub],
) -> None:
    with pytest.raises(WeightsError) as error:
        hub_folder("owner/other", REVISION)
    assert "the model hub does not give its revision d83a36cc6b8e (" in str(error.value)
    assert "404" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("hub_is", ["absent", "silent"])
def test_a_hub_out_of_reach_is_told_soon_with_what_to_do(
    hub_is: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_folders, "SECONDS", 0.3)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if hub_is == "silent":
            server.listen()
        endpoint(f"http://127.0.0.1:{server.getsockname()[1]}", monkeypatch)
        start = time.monotonic()
        message = refusal()
    assert time.monotonic() - start < 5
    assert message.startswith(f"model '{MODEL}': no folder of that name, none in PUBRAY_MODELS, and the model hub")
    assert message.endswith(f"put its files into F/{MODEL} and set PUBRAY_MODELS=F")
    assert not cache.exists()


def test_offline_it_is_not_even_tried(server: type[Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "offline mode is enabled" in refusal()
    assert server.asked == []

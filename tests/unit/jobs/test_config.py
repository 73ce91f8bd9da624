from pathlib import Path

import pytest

from jobs.config import DEFAULT, ROOT, load_config
from schemas.errors import UsageError


def refusal(file: str | None = None, overrides: tuple[str, ...] = (), store: str | None = None) -> str:
    with pytest.raises(UsageError) as error:
        load_config(file, overrides, {"PUBRAY_STORE": store} if store else {})
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_default_is_the_demo() -> None:
    assert load_config(None, [], {}) == load_config(str(DEFAULT), [], {})
    assert load_config(None, [], {}).encoder.name == "all-MiniLM-L6-v2"


@pytest.mark.parametrize("file", sorted((ROOT / "infra" / "config").glob("*.toml")), ids=lambda f: f.name)
def test_every_shipped_config_is_valid(file: Path) -> None:
    assert load_config(str(file), [], {}).encoder.dimension > 0


def test_an_override_is_typed_as_toml_or_else_text() -> None:
    overrides = ["index.num_shards=3", "rerank.kind=none", "index.type=IVF{nlist},Flat", "encoder.normalize=false"]
    config = load_config(None, overrides, {})
    assert (config.index.num_shards, config.rerank.kind, config.index.type) == (3, "none", "IVF{nlist},Flat")
    assert config.encoder.normalize is False


def test_an_override_may_set_what_the_file_does_not_have_and_hold_an_equals_sign() -> None:
    config = load_config(None, ["serve.api.max_replicas=2", "selection.file=a=b", "index.seed=1", "index.seed=2"], {})
    assert (config.serve.api.max_replicas, config.selection.file, config.index.seed) == (2, "a=b", 2)


def test_the_environment_names_the_store_before_the_file_and_overrides(tmp_path: Path) -> None:
    assert load_config(None, ["store=other"], {"PUBRAY_STORE": str(tmp_path)}).store == str(tmp_path)
    assert load_config(None, ["store=/other"], {"PUBRAY_STORE": ""}).store == "/other"


def test_folders_are_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.chdir(tmp_path)
    config = load_config(None, ["store=~/store", "cache=cache"], {})
    assert (config.store, config.cache) == ("/home/someone/store", str(tmp_path / "cache"))


def test_a_store_that_is_not_a_folder_is_refused() -> None:
    assert refusal(store="s3://bucket/pubray").startswith("store = 's3://bucket/pubray': only folders")


def test_an_unknown_key_is_refused_with_the_nearest() -> None:
    assert refusal(overrides=("index.num_shard=3",)) == (
        f"{DEFAULT}: unknown key 'index.num_shard'; the nearest known key is 'index.num_shards'"
    )


def test_a_wrong_value_is_refused_by_key_and_value() -> None:
    assert refusal(overrides=("index.num_shards=0",)).startswith(f"{DEFAULT}: index.num_shards = 0: ")


@pytest.mark.parametrize("override", ["index.num_shards", "=3", ""])
def test_an_override_without_key_or_value_is_refused(override: str) -> None:
    assert refusal(overrides=(override,)).startswith(f"--set {override!r}: write KEY=VALUE")


def test_an_override_below_a_value_is_refused() -> None:
    assert refusal(overrides=("store.folder=x",)) == "--set 'store.folder=x': 'store' is a value, not a table"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = str(tmp_path / "none.toml")
    assert refusal(file) == f"--config {file}: No such file or directory; give a TOML file"


@pytest.mark.parametrize("content", [b"store = ", b"\xff\xfe", b"[index]\ntype = 'a'\n[index]\n"])
def test_a_file_that_is_not_toml_is_named(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_bytes(content)
    assert refusal(str(file)).startswith(f"--config {file}: not TOML: ")


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "empty.toml"
    file.write_text("store = 'x'")
    assert refusal(str(file)) == f"{file}: key 'encoder' is missing; give it a value there or with --set encoder=…"

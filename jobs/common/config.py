"""Where the configuration comes from: a TOML file, then --set, then the environment (PUBRAY_STORE and others)."""

import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from actors.fetch.model_folders import model_folder
from actors.store.stores import S3
from retrieval.embed.sentence_transformers import encoder_values
from schemas.config import Config, merged, parse_config
from schemas.errors import UsageError

ROOT = Path(__file__).parents[2]
DEFAULT = ROOT / "infra" / "config" / "demo.toml"
VARIABLES = {
    "store": "PUBRAY_STORE",
    "cache": "PUBRAY_CACHE",
    "models": "PUBRAY_MODELS",
    "notify.url": "PUBRAY_NOTIFY_URL",
    "ingest.contact": "PUBRAY_CONTACT",
}
BASE = "based_on"
"""The key of a configuration that names another, by its path from there: what it does not say itself is said there."""
DERIVED = "sentence_transformers"
"""The key of `[encoder]` that stands for all others: a folder or hub name whose files say them."""


def load_config(file: str | None, overrides: Sequence[str], environment: Mapping[str, str]) -> Config:
    """Read the config file (default: the demo's) and apply `key=value` overrides and the environment.

    PUBRAY_STORE is the store, PUBRAY_CACHE the cache, PUBRAY_MODELS the folder of models,
    PUBRAY_NOTIFY_URL the webhook, PUBRAY_CONTACT whom NCBI can write to.

    Raises:
        UsageError: the file cannot be read, a key or value is not known, the store or that of models is no folder, or
            the webhook no URL.
        InputError: the encoder is to be read from a model folder that there is not, or that says what none can.
    """
    path = Path(file) if file else DEFAULT
    values = _read(path, "--config")
    for override in overrides:
        _apply(values, override)
    for key, name in VARIABLES.items():
        if environment.get(name):
            _put(values, key, environment[name], name)
    if isinstance(encoder := values.get("encoder"), dict) and DERIVED in encoder:
        cache = values.get("cache", Config.model_fields["cache"].default)
        values["encoder"] = _derived(encoder, Path(str(cache)).expanduser(), str(path), _models(values.get("models")))
    config = parse_config(values, str(path))
    if config.notify.url and not _is_url(config.notify.url.get_secret_value()):
        raise UsageError("notify.url, or PUBRAY_NOTIFY_URL: no URL; write https://HOST/PATH")  # of a secret no value
    return config.with_values(
        store=store_root(config.store),
        cache=str(Path(config.cache).expanduser().absolute()),
        models=_models(config.models),
    )


def config_text(config: Config) -> str:
    """Return a configuration as a file: what differs from the defaults, without what jobs add, and without secrets."""
    values = config.model_dump(mode="json", exclude_defaults=True, exclude={"stored": True, "notify": {"url"}})
    return "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        # A key may have blanks, as the name of a stage; JSON's strings are TOML's too.
        return (
            "{ " + ", ".join(f"{json.dumps(key)} = {_toml(of)}" for key, of in value.items() if of is not None) + " }"
        )
    return "inf" if value == math.inf else json.dumps(value, ensure_ascii=False)


def store_root(root: str) -> str:
    """Return a bucket as it is, and a folder by its whole path."""
    if root.startswith(S3):
        bucket = root.removeprefix(S3).partition("/")[0]
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
            raise UsageError(f"store = {root!r}: {bucket!r} is no name of a bucket; write s3://BUCKET/PREFIX")
        return root.rstrip("/")
    if "://" in root:
        raise UsageError(f"store = {root!r}: write s3://BUCKET/PREFIX, or name a folder that every node sees")
    if Path(root).expanduser().is_file():
        raise UsageError(f"store = {root!r}: a file; name a folder")
    return str(Path(root).expanduser().absolute())


def read_toml(path: Path, named: str) -> dict[str, Any]:
    """Return what a file holds; `named` is by what the user did.

    Raises:
        UsageError: it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{named} {path}: {error.strerror}; give a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{named} {path}: not TOML: {error}; correct it there") from None


def _read(path: Path, named: str) -> dict[str, Any]:
    """Return what a configuration says, and beside it what the one says that it is based on."""
    values = read_toml(path, named)
    if (base := values.pop(BASE, None)) is None:
        return values
    if not isinstance(base, str) or not (path.parent / base).is_file():
        raise UsageError(f"{named} {path}: {BASE} = {base!r}: no such file beside it; name another configuration")
    if BASE in (below := read_toml(path.parent / base, f"{BASE} of {path}:")):
        raise UsageError(f"{named} {path}: {BASE} = {base!r}, which is based on another itself; name that one")
    return merged(below, values)


def _models(named: object) -> str | None:
    """Return the whole path of the folder of models, if one is named."""
    if not named:
        return None
    folder = Path(str(named)).expanduser().absolute()
    if not folder.is_dir():
        raise UsageError(f"PUBRAY_MODELS = {str(folder)!r}: no such folder; name one that holds OWNER/NAME/ of models")
    return str(folder)


def _derived(encoder: dict[str, Any], cache: Path, origin: str, models: str | None) -> dict[str, Any]:
    """Return the encoder spec that the one key `sentence_transformers`, and `revision`, stand for."""
    model, revision = encoder[DERIVED], encoder.get("revision")
    for key in encoder:
        if key not in (DERIVED, "revision"):
            raise UsageError(
                f"{origin}: encoder.{key} beside encoder.{DERIVED}, which stands for it; remove one of them"
            )
    for key, value in (DERIVED, model), ("revision", revision or ""):
        if not isinstance(value, str):
            raise UsageError(f"{origin}: encoder.{key} = {value!r}: input should be a valid string")
    return encoder_values(model_folder(model, revision, cache, models, weights=False), model, revision)


def _apply(values: dict[str, Any], override: str) -> None:
    """Put one `a.b=value` into nested tables; the value is TOML, or else text."""
    key, sign, text = override.partition("=")
    if not sign or not key:
        raise UsageError(f"--set {override!r}: write KEY=VALUE, for example index.num_shards=2")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    _put(values, key, value, f"--set {override!r}")


def _put(values: dict[str, Any], key: str, value: object, named: str) -> None:
    """Put a value into nested tables; `named` is by what the user did."""
    *tables, name = key.split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise UsageError(f"{named}: {table!r} is a value, not a table")
    values[name] = value


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False

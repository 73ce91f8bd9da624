"""Where the configuration comes from: a TOML file, then --set, then the environment (PUBRAY_STORE, PUBRAY_MODELS)."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from actors.fetch.model_folders import model_folder
from jobs.common.model_places import models_root, place, with_places
from jobs.common.toml_files import read_toml
from retrieval.embed.sentence_transformers import encoder_values
from schemas.config import Config, parse_config
from schemas.errors import UsageError

ROOT = Path(__file__).parents[2]
DEFAULT = ROOT / "infra" / "config" / "demo.toml"
DERIVED = "sentence_transformers"
"""The key of `[encoder]` that stands for all others: a folder or hub name whose files say them."""


def load_config(file: str | None, overrides: Sequence[str], environment: Mapping[str, str]) -> Config:
    """Read the config file (default: the demo's) and apply `key=value` overrides and the environment.

    PUBRAY_STORE is the store. PUBRAY_MODELS is a folder that holds models under their hub names, OWNER/NAME/ or NAME/:
    what it has is not asked of the hub.

    Raises:
        UsageError: the file cannot be read, a key or value is not known, or PUBRAY_MODELS is no folder.
        InputError: the encoder is to be read from a model folder that there is not, or that says what none can.
    """
    path = Path(file) if file else DEFAULT
    values = read_toml(path, "--config")
    root = models_root(environment)
    for override in overrides:
        _apply(values, override)
    if store := environment.get("PUBRAY_STORE"):
        values["store"] = store
    if isinstance(encoder := values.get("encoder"), dict) and DERIVED in encoder:
        cache = values.get("cache", Config.model_fields["cache"].default)
        values["encoder"] = _derived(encoder, Path(str(cache)).expanduser(), str(path), root)
    config = parse_config(values, str(path))
    if "://" in config.store:
        raise UsageError(f"store = {config.store!r}: only folders are supported yet; name one that every node sees")
    folders = {name: str(Path(getattr(config, name)).expanduser().absolute()) for name in ("store", "cache")}
    return with_places(config, root).with_values(**folders)


def _derived(encoder: dict[str, Any], cache: Path, origin: str, root: Path | None) -> dict[str, Any]:
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
    return encoder_values(model_folder(*place(model, revision, root), cache, weights=False), model, revision)


def _apply(values: dict[str, Any], override: str) -> None:
    """Put one `a.b=value` into nested tables; the value is TOML, or else text."""
    key, sign, text = override.partition("=")
    if not sign or not key:
        raise UsageError(f"--set {override!r}: write KEY=VALUE, for example index.num_shards=2")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *tables, name = key.split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise UsageError(f"--set {override!r}: {table!r} is a value, not a table")
    values[name] = value

"""Models as objects of the store: the driver of a job brings them, and no other node needs a hub or a folder of models.

A model lies in `models/<digest>` of the store, and in a folder of that name in the cache of each node that has used it.
Files are linked rather than copied wherever both lie on one disk.
"""

import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any, Literal

from actors.fetch.model_folders import SAFETENSORS, TEXTS, model_digests, model_folder
from actors.store.stores import open_store
from retrieval.files.atomic import atomic_path
from retrieval.files.checked import check_file, file_digest, read_document
from schemas.config import Config, RerankConfig
from schemas.encoder import TowerDigests, TowerSpec
from schemas.errors import IntegrityError
from schemas.layout import MODEL_MANIFEST, Layout
from schemas.manifest import FileDigest, IndexVersion, StoredModel
from schemas.store import Store

Model = TowerSpec | RerankConfig
STORED = "stored:"
"""Begins the name of a model that was trained here, and is known by its place in the store alone."""


def configured_models(config: Config) -> list[Model]:
    """Return the models of a configuration: those of the towers, and of the cross-encoder if there is one."""
    towers: list[Model] = [config.encoder.query, config.encoder.article]
    return towers + [model for model in reranking_models(config) if model not in towers]


def reranking_models(config: Config) -> list[Model]:
    """Return the models that the configured re-ranker is made of."""
    if config.rerank.kind == "maxsim":
        return [config.encoder.query, config.encoder.article]
    return [config.rerank] if config.rerank.kind == "cross-encoder" and config.rerank.model else []


def start_of(config: Config, kind: Literal["retriever", "reranker"]) -> list[Model]:
    """Return the models that training starts from: both towers; or the cross-encoder, if none is configured the article
    tower."""
    if kind == "retriever":
        return [config.encoder.query, config.encoder.article]
    return [config.rerank if config.rerank.kind == "cross-encoder" else config.encoder.article]


def folder_of(model: Model, config: Config) -> Path:
    """Return the local folder of a model: that of the store, where a job says that it is there, or as configured.

    Raises:
        InputError: it cannot be had, or is a .bin that is not trusted.
        StoreError: it is not in the store any more, or not what it was.
    """
    if digest := _digest(model, config):
        return _fetched(open_store(config), digest, Path(config.cache))
    return _own_folder(model, config)


def tower_digests(tower: Model, config: Config) -> TowerDigests:
    """Return the digests of the files that a tower is loaded from, or a cross-encoder."""
    return model_digests(folder_of(tower, config))


def brought(config: Config, *models: Model) -> Config:
    """Bring models to the store, those that are not there; return the configuration by which every node finds them.

    What `folder_of` raises is raised.
    """
    store, cache = open_store(config), Path(config.cache)
    missing = {_name(model): model for model in models if _name(model) not in config.stored}
    found = {
        name: _digest(model, config) or _bring(store, _own_folder(model, config), cache)
        for name, model in missing.items()
    }
    return config.with_values(stored=found)


def found_before(config: Config, versions: Iterable[IndexVersion]) -> Config:
    """Return the configuration with those models of versions that a hub's revision names: it is not asked for them.

    What has no revision may be another by now; and where there is a folder of models, that is what counts.
    """
    if config.models is not None:
        return config
    store, wanted = open_store(config), {_name(model) for model in configured_models(config) if model.revision}
    known = {name: digest for version in versions for name, digest in version.models.items() if name in wanted}
    there = {n: digest for n, digest in known.items() if store.facts(f"{Layout.model(digest)}/{MODEL_MANIFEST}")}
    return config.with_values(stored=there)


def as_built(config: Config, version: IndexVersion) -> Config:
    """Return the configuration with the models that a version was built with, where both name the same."""
    return config.with_values(stored=version.models)


def weight_bytes(model: Model, config: Config) -> int:
    """Return how large the weights of a model are; what `folder_of` raises is raised."""
    if digest := _digest(model, config):
        files = read_model(open_store(config), digest).files
        return sum(file.bytes for name, file in files.items() if PurePath(name).match(SAFETENSORS))
    return sum(path.stat().st_size for path in folder_of(model, config).glob(SAFETENSORS))


def shapes_of(model: Model, config: Config) -> dict[str, Any]:
    """Return the config.json of a model; what `folder_of` raises is raised."""
    shapes: dict[str, Any] = json.loads((folder_of(model, config) / "config.json").read_text())
    return shapes


def by_names(text: str, config: Config) -> str:
    """Return a text with the models of the store by the names that they are configured by, and not by their folders."""
    for name, digest in config.stored.items():
        text = text.replace(str(_here(Path(config.cache), digest)), name)
    return text


def read_model(store: Store, digest: str) -> StoredModel:
    """Return the manifest of a model of the store; StoreError: there is no such model, or it is another."""
    key = Layout.model(digest)
    model = read_document(store, f"{key}/{MODEL_MANIFEST}", StoredModel, f"model {digest}")
    if model.digest != digest:
        raise IntegrityError(f"{store.name(key)}: its manifest is that of {model.digest}; restore it from a copy")
    return model


def keep_trained(store: Store, folder: Path) -> str:
    """Put a model that was trained into the store, with its subfolders; return the name that it is configured by."""
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    model = StoredModel(files={name: file_digest(path) for name, path in files.items()})
    key = Layout.model(model.digest)
    if store.facts(f"{key}/{MODEL_MANIFEST}") is None:
        with store.incoming(key, last=MODEL_MANIFEST) as made:
            shutil.copytree(folder, made)
            (made / MODEL_MANIFEST).write_text(model.model_dump_json(indent=1))
    return f"{STORED}{model.digest}"


def _digest(model: Model, config: Config) -> str | None:
    """Return the digest of a model that is known to be in the store."""
    if (name := str(model.model)).startswith(STORED):
        return name.removeprefix(STORED)
    return config.stored.get(_name(model))


def _name(model: Model) -> str:
    return f"{model.model}@{model.revision}" if model.revision else str(model.model)


def _own_folder(model: Model, config: Config) -> Path:
    """Return the folder of a model as it is configured, in safetensors."""
    cache = Path(config.cache)
    folder = model_folder(str(model.model), model.revision, cache, config.models)
    if isinstance(model, TowerSpec):
        return folder
    # Imported here: torch takes seconds and 200 MB, and towers are not converted.
    from actors.fetch.pickled_weights import with_safetensors

    return with_safetensors(folder, model.bin_sha256, cache)


def _bring(store: Store, folder: Path, cache: Path) -> str:
    """Put a model into the store and the cache of this node, unless it is there; return its digest."""
    files = sorted(path for pattern in (*TEXTS, SAFETENSORS) for path in folder.glob(pattern))
    model = StoredModel(files={path.name: file_digest(path) for path in files if path.name != MODEL_MANIFEST})
    here, key = _here(cache, model.digest), Layout.model(model.digest)
    if not here.is_dir():
        with atomic_path(str(here)) as made:
            made.mkdir()
            for name, digest in model.files.items():
                _take(folder / name, made / name, digest, link=folder.is_relative_to(cache))
    if store.facts(f"{key}/{MODEL_MANIFEST}") is None:
        with store.incoming(key, last=MODEL_MANIFEST) as made:
            made.mkdir()
            for name, digest in model.files.items():
                _take(here / name, made / name, digest)
            (made / MODEL_MANIFEST).write_text(model.model_dump_json(indent=1))
    return model.digest


def _fetched(store: Store, digest: str, cache: Path) -> Path:
    """Return the folder of a model of the store, in the cache of this node."""
    here, key = _here(cache, digest), Layout.model(digest)
    if not here.is_dir():
        model = read_model(store, digest)
        with atomic_path(str(here)) as made:
            made.mkdir()
            for name, file in model.files.items():
                (made / name).parent.mkdir(exist_ok=True)
                _take(store.local(f"{key}/{name}", file), made / name, file)
    return here


def _here(cache: Path, digest: str) -> Path:
    return cache / "models" / digest


def _take(source: Path, target: Path, digest: FileDigest, *, link: bool = True) -> None:
    """Link a file, or copy one that its owner may change or that lies on another disk; check it."""
    with suppress(OSError):
        if link:
            os.link(source.resolve(), target)
    if not target.exists():
        shutil.copyfile(source, target)
    check_file(target, digest, whole=True)

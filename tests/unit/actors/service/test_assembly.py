"""Design invariant 6: the query tower is the one that the index's encoder spec names, or the service refuses to
start."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from actors.fetch.model_folders import model_digests
from actors.fetch.stored_models import brought
from actors.search.rerankers import CrossEncoderReranker, MaxSimReranker, load_reranker
from actors.search.served_versions import ServedVersions
from actors.service.assembly import (
    load_encoder,
    load_service,
    ranking,
)
from actors.service.search_service import SearchService
from actors.store.local_store import LocalStore
from schemas.config import Config, EngineConfig, RerankConfig
from schemas.errors import StoreError, UsageError, WeightsError
from schemas.manifest import IndexVersion
from schemas.search import SearchRequest
from tests.support.models import tiny
from tests.support.service.seams import VERSION, Favours, Lengths, Shelf
from tests.support.stores import corpus
from tests.support.stores.hand_made_version import write_version


@pytest.fixture
def config(tmp_path: Path, tiny_encoder: Path) -> Config:
    return Config(
        store=str(tmp_path / "store"),
        cache=str(tmp_path / "cache"),
        encoder=tiny.spec(tiny_encoder),
        engine=EngineConfig(kind="torch", precision="float32"),
    )


@pytest.fixture
def version(config: Config, tiny_encoder: Path) -> IndexVersion:
    return VERSION.model_copy(update={"encoder": config.encoder, "query_tower": model_digests(tiny_encoder)})


def test_the_query_tower_of_the_version_is_loaded(config: Config, version: IndexVersion) -> None:
    assert load_encoder(config, version).query_tower.digests == version.query_tower


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_another_file_under_the_same_name_is_refused(
    file: str, config: Config, version: IndexVersion, tmp_path: Path
) -> None:
    folder = tiny.encoder(tmp_path / "model")
    spec = tiny.spec(folder)
    ours = config.model_copy(update={"encoder": spec})
    theirs = version.model_copy(update={"encoder": spec, "query_tower": model_digests(folder)})
    load_encoder(ours, theirs)
    if file == "tokenizer.json":
        (folder / file).write_text((folder / file).read_text() + "\n")
    else:
        (folder / file).write_bytes((tiny.encoder(tmp_path / "other", seed=1) / file).read_bytes())
    with pytest.raises(StoreError) as error:
        load_encoder(ours, theirs)
    part = "weights" if file == "model.safetensors" else "tokenizer"
    assert str(error.value).startswith(f"{folder}: its {part} (sha256 ")
    assert "version v1" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [{"pooling": "cls"}, {"normalize": False}, {"dimension": 16}, {"name": "other"}],
    ids=lambda change: next(iter(change)),
)
def test_another_encoder_is_refused_before_anything_is_loaded(
    change: dict[str, Any], config: Config, version: IndexVersion
) -> None:
    missing = {"query": version.encoder.query.model_copy(update={"model": "/nowhere"})}
    ours = config.model_copy(update={"encoder": config.encoder.model_copy(update=missing | change)})
    theirs = version.model_copy(update={"encoder": version.encoder.model_copy(update=missing)})
    with pytest.raises(StoreError) as error:
        load_encoder(ours, theirs)
    message, key = str(error.value), next(iter(change))
    assert message.startswith(f"version v1 in {config.store} belongs to encoder 'tiny', the configured one is ")
    assert message.endswith("; use the --config it was built with")
    assert ("'other'" if key == "name" else f"with another {key!r}") in message
    assert "\n" not in message


def test_the_same_weights_may_lie_elsewhere(config: Config, version: IndexVersion, tmp_path: Path) -> None:
    folder = shutil.copytree(config.encoder.query.model, tmp_path / "moved")
    moved = {
        side: getattr(config.encoder, side).model_copy(update={"model": str(folder)}) for side in ("query", "article")
    }
    ours = config.model_copy(update={"encoder": config.encoder.model_copy(update=moved)})
    assert load_encoder(ours, version).query_tower.digests == version.query_tower


def test_a_service_needs_no_model_but_those_of_its_version(
    config: Config, version: IndexVersion, tiny_classifier: Path, tmp_path: Path
) -> None:
    named, cross = {"model": "owner/encoder"}, {"kind": "cross-encoder", "model": "owner/cross"}
    shutil.copytree(config.encoder.query.model, tmp_path / "models" / "encoder")
    shutil.copytree(tiny_classifier, tmp_path / "models" / "cross")
    config = config.with_values(encoder={"query": named, "article": named}, rerank=cross)
    driver = config.with_values(cache=str(tmp_path / "driver"), models=str(tmp_path / "models"))
    models = brought(driver, config.encoder.query, config.rerank).stored
    of = {"encoder": config.encoder, "query_tower": version.query_tower, "models": models}
    made = write_version(LocalStore(config.store)).model_copy(update=of)
    service = load_service(config, made)
    assert isinstance(service, SearchService)
    with pytest.raises(WeightsError):
        load_service(config.with_values(cache=str(tmp_path / "none")), made.model_copy(update={"models": {}}))


def reranking(config: Config, **values: Any) -> Config:
    return config.model_copy(update={"rerank": RerankConfig(**values)})


def test_the_configured_reranker_is_loaded(config: Config, tiny_classifier: Path) -> None:
    assert load_reranker(reranking(config, kind="none")) is None
    assert isinstance(load_reranker(reranking(config, kind="maxsim")), MaxSimReranker)
    cross_encoder = load_reranker(reranking(config, kind="cross-encoder", model=str(tiny_classifier)))
    assert isinstance(cross_encoder, CrossEncoderReranker)


def test_a_cross_encoder_needs_a_model(config: Config) -> None:
    with pytest.raises(UsageError, match=r"needs rerank\.model"):
        load_reranker(reranking(config, kind="cross-encoder"))


@pytest.mark.parametrize(
    ("rerank", "name", "kind"),
    [
        ({"kind": "maxsim"}, "maxsim", "fused"),
        ({"kind": "cross-encoder", "model": "owner/name"}, "owner/name", "logit"),
    ],
)
def test_an_answer_says_what_its_scores_are(
    rerank: dict[str, Any], name: str, kind: str, config: Config, version: IndexVersion
) -> None:
    second = ranking(reranking(config, **rerank), Favours({}), None)
    service = SearchService(ServedVersions(version), Lengths(), Shelf([1, 2]), second)
    assert service.version().reranker == name
    [response] = asyncio.run(service.search(SearchRequest(query="x")))
    assert {hit.score_kind for hit in response.hits} == {kind}


@pytest.mark.parametrize("degrade", [True, False])
def test_whether_a_search_may_do_without_its_reranker_is_configured(config: Config, degrade: bool) -> None:
    assert ranking(reranking(config, degrade=degrade), Favours({}), None).degrade == degrade


def test_all_parts_of_one_process_answer_together(
    config: Config, version: IndexVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "DIMENSION", tiny.DIMENSION)
    built = write_version(LocalStore(config.store), nprobe=8)
    version = built.model_copy(update={"encoder": version.encoder, "query_tower": version.query_tower})
    assert len(built.segments) == 2
    request = SearchRequest(query="muscle pain", k=7)
    [response] = asyncio.run(load_service(config, version).search(request))
    assert len(response.hits) == 7
    assert [h.score for h in response.hits] == sorted((h.score for h in response.hits), reverse=True)
    assert {hit.score_kind for hit in response.hits} == {"fused"}

"""The application that Ray Serve builds from a path and arguments, as `serve deploy` and a RayService have it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from ray import serve
from ray._common.utils import import_attr
from ray.serve._private.api import call_user_app_builder_with_args_if_necessary
from ray.serve._private.build_app import build_app
from ray.serve.schema import ServeDeploySchema

from jobs.common.cluster import placement
from schemas.config import Config
from schemas.errors import StoreError, UsageError
from schemas.manifest import IndexVersion
from tests.support.processes import ROOT

PATH = "jobs.serve:app"


def built(**arguments: Any) -> serve.Application:
    return call_user_app_builder_with_args_if_necessary(import_attr(PATH), arguments)


def test_it_is_the_service_of_a_configuration(
    config: Config, version: IndexVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBRAY_STORE", config.store)
    app = built(set=["index.num_shards=2", "serve.searcher.max_replicas_per_node=1", "rerank.kind=none"])
    parts = {one.name: one for one in build_app(app, name="pubray").deployments}
    assert parts.keys() == {"api", "encoder", "searcher-0", "searcher-1"}
    assert parts["searcher-0"]._replica_config.max_replicas_per_node == 1
    for one in parts.values():
        assert (one.ray_actor_options or {})["memory"] >= 4e8


def test_what_is_shipped_for_kubernetes_is_built(
    config: Config, version: IndexVersion, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """But with the embedded models instead of MedCPT's."""
    service = yaml.safe_load((ROOT / "infra" / "kuberay" / "base" / "service.yaml").read_text())
    deployed = ServeDeploySchema.model_validate(yaml.safe_load(service["spec"]["serveConfigV2"]))
    [application] = deployed.applications
    shipped = (ROOT / application.args["config"]).read_text()
    assert shipped.count('based_on = "medcpt.toml"') == 1
    own = tmp_path / "cluster.toml"
    own.write_text(shipped.replace("medcpt.toml", str(ROOT / "infra" / "config" / "demo.toml")))
    monkeypatch.setenv("PUBRAY_STORE", config.store)
    nodes = [{"Resources": {"CPU": 16, "GPU": 1, "memory": 1e11}, "Labels": {}, "NodeID": "one"}]
    monkeypatch.setattr(placement, "_alive", lambda group: nodes)
    arguments = application.args | {"config": str(own), "set": ["index.num_shards=2"]}
    app = call_user_app_builder_with_args_if_necessary(import_attr(application.import_path), arguments)
    parts = {one.name: one for one in build_app(app, name=application.name).deployments}
    places = {name: (one.ray_actor_options or {})["label_selector"][placement.LABEL] for name, one in parts.items()}
    searchers = {"searcher-0": "serve-cpu", "searcher-1": "serve-cpu"}
    assert places == {"api": "serve-cpu", "encoder": "serve-gpu", "reranker": "serve-gpu", **searchers}


def test_what_cannot_be_served_is_refused(
    config: Config, version: IndexVersion, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PUBRAY_STORE", config.store)
    with pytest.raises(ValidationError, match="sets"):
        built(sets=["index.num_shards=2"])
    with pytest.raises(StoreError, match=r"has 2 shards, but index\.num_shards = 1; set it to 2"):
        built()
    with pytest.raises(UsageError, match=r"^searcher takes 64 CPUs and"):
        built(set=["index.num_shards=2", "serve.searcher.num_cpus=64"])
    monkeypatch.setenv("PUBRAY_STORE", str(tmp_path))
    with pytest.raises(StoreError, match="has no CURRENT version"):
        built()

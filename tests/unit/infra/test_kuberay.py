"""infra/kuberay, as kustomize renders it: what KubeRay, Kubernetes and Ray accept, and what follows from the rest."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr
from ray.serve.schema import ServeDeploySchema

from jobs.common.cluster.placement import LABEL
from jobs.common.config import load_config
from retrieval.operate import memory
from tests.support.kubernetes.crds import complaints
from tests.support.kubernetes.kubectl import kubectl

ROOT = Path(__file__).parents[3]
KUBERAY, CONFIG = ROOT / "infra" / "kuberay", ROOT / "infra" / "config" / "medcpt-cluster.toml"
KUBERNETES = "1.34"
"""The oldest version of it that is supported by who makes it."""
CLUSTER_WIDE = {"PriorityClass"}
SPEC = {"RayJob": "rayClusterSpec", "RayService": "rayClusterConfig", "RayCluster": ""}
UNITS = {"Gi": 1 << 30, "Mi": 1 << 20}
Resource = dict[str, Any]


@pytest.fixture(scope="module", params=["aws", "dev"])
def rendered(request: pytest.FixtureRequest) -> list[Resource]:
    done = kubectl("kustomize", str(KUBERAY / request.param))
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one]


def clusters(rendered: list[Resource]) -> Iterator[tuple[str, Resource]]:
    """Yield kind and cluster of each of KubeRay's resources."""
    for one in rendered:
        if one["kind"] in SPEC:
            yield one["kind"], one["spec"][SPEC[one["kind"]]] if SPEC[one["kind"]] else one["spec"]


def pods(node: Any) -> Iterator[Resource]:
    """Yield what has containers."""
    if isinstance(node, dict):
        if "containers" in node:
            yield node
        for value in node.values():
            yield from pods(value)
    if isinstance(node, list):
        for value in node:
            yield from pods(value)


def size(text: str) -> float:
    return int(text[:-2]) * UNITS[text[-2:]]


def test_kuberays_kinds_are_as_it_describes_them(rendered: list[Resource]) -> None:
    assert {one["kind"] for one in rendered} & SPEC.keys()
    assert [said for one in rendered for said in complaints(one)] == []


def test_what_kuberay_would_refuse_is_found() -> None:
    [night] = [one for one in base() if one["kind"] == "RayJob"]
    night["spec"]["rayClusterSpec"]["rayVersions"] = "2"
    [rule] = night["spec"]["deletionStrategy"]["deletionRules"][:1]
    rule["condition"]["jobDeploymentStatus"] = "Failed"
    misspelt, both = complaints(night)
    assert "rayVersions" in misspelt
    assert "cannot be used together" in both


def test_kubernetes_own_kinds_are_as_it_describes_them(rendered: list[Resource]) -> None:
    for one in (one for one in rendered if one["kind"] not in SPEC):
        kubernetes_validate.validate(one, KUBERNETES, strict=True)


def test_what_kubernetes_would_refuse_is_found() -> None:
    [night] = [one for one in base() if one["kind"] == "CronJob"]
    kubernetes_validate.validate(night, KUBERNETES, strict=True)
    night["spec"]["timezone"] = night["spec"].pop("timeZone")
    with pytest.raises(kubernetes_validate.ValidationError, match="timezone"):
        kubernetes_validate.validate(night, KUBERNETES, strict=True)


def test_an_overlay_reaches_every_image_and_namespace(rendered: list[Resource]) -> None:
    for one in rendered:
        assert one["kind"] in CLUSTER_WIDE or one["metadata"]["namespace"].startswith("pubray"), one["kind"]
        for pod in pods(one):
            for container in pod["containers"]:
                assert container["image"].startswith("registry.example/pubray:"), container


def test_pods_may_do_no_more_than_they_must(rendered: list[Resource]) -> None:
    for pod in (pod for one in rendered for pod in pods(one)):
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == 10001
        for container in pod["containers"]:
            rights = container["securityContext"]
            assert (rights["allowPrivilegeEscalation"], rights["readOnlyRootFilesystem"]) == (False, True)
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert {"memory"} <= container["resources"]["limits"].keys()
            assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/cache", "/tmp"}


def test_rays_autoscaler_reads_the_groups_with_their_labels() -> None:
    for kind, cluster in clusters(base()):
        resource = {"metadata": {"namespace": "n", "name": "c"}, "spec": cluster}
        made = _derive_autoscaling_config_from_ray_cr(resource)
        for group in cluster["workerGroupSpecs"]:
            found = made["available_node_types"][group["groupName"]]
            assert found["labels"][LABEL] == group["groupName"].removesuffix("-spot"), kind
            assert found["resources"]["memory"] > 0
            assert ("GPU" in found["resources"]) == group["groupName"].startswith(("encode", "serve-gpu"))


def test_the_service_is_one_that_ray_serve_can_deploy() -> None:
    [service] = [one for one in base() if one["kind"] == "RayService"]
    parsed = ServeDeploySchema.model_validate(yaml.safe_load(service["spec"]["serveConfigV2"]))
    [application] = parsed.applications
    assert application.import_path == "jobs.serve:app"
    assert load_config(str(ROOT / application.args["config"]), [], {}).serve.proxies == "every node"


def base() -> list[Resource]:
    done = kubectl("kustomize", str(KUBERAY / "base"))
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one]


def test_work_is_placed_on_groups_that_there_are() -> None:
    placement = load_config(str(CONFIG), [], {}).placement.model_dump()
    there = {g["labels"][LABEL] for _, cluster in clusters(base()) for g in cluster["workerGroupSpecs"]}
    assert {*placement.values()} == there


def test_a_node_holds_what_runs_there_side_by_side() -> None:
    """By the arithmetic of `pubray plan`, for 40 million articles of MedCPT."""
    articles, lists, dimension, weights = 40_000_000, 65_536, 768, 440e6
    quantizer = 4 * dimension * (lists + dimension)
    searcher = memory.of_searcher(articles, articles * (dimension / 8 + 16))
    of_a_core = max(memory.of_parser(), memory.of_worker(131_072, dimension, quantizer))
    alone = max(memory.of_snapshot(articles), memory.of_training(64 * lists, lists, dimension))
    wanted = {  # once on a node, or by each of its cores
        "cpu": (alone, of_a_core),
        "encode": (memory.of_engine(weights), 0.0),
        "encode-spot": (memory.of_engine(weights), 0.0),
        "serve-cpu": (searcher + articles * dimension * 2, memory.PROCESS),
        "serve-gpu": (2 * memory.of_engine(weights) + memory.of_engine(2 * weights), 0.0),
    }
    for _, cluster in clusters(base()):
        for group in cluster["workerGroupSpecs"]:
            [container] = group["template"]["spec"]["containers"]
            asked = container["resources"]["requests"]
            once, each = wanted[group["groupName"]]
            least = max(once, int(asked["cpu"]) * each)
            assert least < 0.7 * size(asked["memory"]), group["groupName"]  # the rest is Ray's object store


def test_every_process_has_the_settings_of_those_on_aws() -> None:
    def settings(file: Path) -> dict[str, str]:
        lines = (line for line in file.read_text().splitlines() if line and not line.startswith("#"))
        return {key: value for key, _, value in (line.partition("=") for line in lines) if key.startswith("RAY_")}

    ours = settings(ROOT / "infra" / "aws" / "node.env")
    assert ours.pop("RAY_AUTH_MODE") == "token"  # which KubeRay sets itself: authOptions
    assert settings(KUBERAY / "base" / "pubray.env") == ours
    for _, cluster in clusters(base()):
        assert cluster["authOptions"] == {"mode": "token"}


def test_the_operator_reaches_the_dashboard() -> None:
    """It hands in what is to be served there, and asks how a job goes."""
    [policy] = [one for one in base() if one["kind"] == "NetworkPolicy"]
    rules = [rule for rule in policy["spec"]["ingress"] if {"port": 8265} in rule.get("ports", [])]
    [origin] = rules[0]["from"]
    assert origin["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "kuberay-operator"}
    assert origin["namespaceSelector"] == {}


def test_pods_of_the_service_say_themselves_when_they_are_ready() -> None:
    """KubeRay's own question is one by wget, which the image has not."""
    [service] = [one for one in base() if one["kind"] == "RayService"]
    for group in service["spec"]["rayClusterConfig"]["workerGroupSpecs"]:
        [container] = group["template"]["spec"]["containers"]
        assert container["readinessProbe"]["httpGet"] == {"path": "/-/healthz", "port": 8000}

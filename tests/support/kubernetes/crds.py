"""KubeRay's descriptions of its kinds: what a resource says against them."""

import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import celpy
import celpy.adapter
import jsonschema
import yaml

CRDS = Path(__file__).parents[1] / "data" / "kuberay-crds-1.7.tar.xz"
CHANGES = "oldSelf"
"""A rule that has it is about a change."""


def complaints(resource: dict[str, Any]) -> list[str]:
    """Return what is wrong with a resource of one of KubeRay's kinds; of others nothing is known."""
    schema = _schemas().get(resource["kind"])
    if schema is None:
        return []
    # A key that nobody knows is an error: the server would drop it in silence.
    found = [error.message for error in jsonschema.Draft202012Validator(_closed(schema)).iter_errors(resource)]
    return [*found, *_broken(schema, resource)]


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    found = {}
    with tarfile.open(CRDS) as archive:
        for member in archive.getmembers():
            file = archive.extractfile(member)
            assert file
            crd = yaml.load(file, yaml.CSafeLoader)
            [version] = [one for one in crd["spec"]["versions"] if one["name"] == "v1"]
            schema = version["schema"]["openAPIV3Schema"]
            schema["properties"]["metadata"] = {"type": "object"}
            found[crd["spec"]["names"]["kind"]] = schema
    return found


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(value) for key, value in schema.items()}
    if isinstance(made.get("properties"), dict) and not made.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


def _broken(schema: dict[str, Any], value: Any) -> Iterator[str]:
    """Yield the rules of a schema, in the Common Expression Language, that a value breaks."""
    for rule in schema.get("x-kubernetes-validations", []):
        if CHANGES not in rule["rule"] and not _holds(rule["rule"], value):
            yield rule.get("message", rule["rule"])
    if isinstance(value, dict):
        for key, of_key in schema.get("properties", {}).items():
            if key in value:
                yield from _broken(of_key, value[key])
    if isinstance(value, list):
        for one in value:
            yield from _broken(schema.get("items", {}), one)


def _holds(rule: str, value: Any) -> bool:
    environment = celpy.Environment()
    program = environment.program(environment.compile(rule))
    return bool(program.evaluate({"self": celpy.adapter.json_to_cel(value)}))

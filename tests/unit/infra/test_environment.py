import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
CLIENTS = "constraints-clients.txt"


def pins(file: str = "constraints.txt") -> dict[str, str]:
    """Return the version of each distribution that a file of constraints names."""
    lines = (ROOT / file).read_text().splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def direct_dependencies() -> list[Requirement]:
    """Return what pyproject.toml asks for on a CPU machine with the test tools."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return [Requirement(line) for line in (*project["dependencies"], *extras["cpu"], *extras["test"])]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a machine with a GPU has CUDA packages on purpose")
def test_no_cuda_package_is_installed() -> None:
    names = {canonicalize_name(distribution.name) for distribution in distributions()}

    assert [name for name in sorted(names) if re.match(r"nvidia-|cuda-|faiss-gpu|triton", name)] == []
    assert "faiss-cpu" in names
    assert torch.version.cuda is None


@pytest.mark.parametrize("requirement", direct_dependencies(), ids=lambda requirement: requirement.name)
def test_a_direct_dependency_is_pinned_within_its_range(requirement: Requirement) -> None:
    assert pins()[canonicalize_name(requirement.name)] in requirement.specifier


def test_client_libraries_are_pinned_within_their_ranges() -> None:
    groups, pinned = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"], pins(CLIENTS)
    wanted = [Requirement(line) for line in groups["clients"]]
    assert [str(one) for one in wanted if pinned[canonicalize_name(one.name)] not in one.specifier] == []


def test_faiss_for_cpu_and_gpu_have_one_version() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert [Requirement(*extras[name]).specifier for name in ("cpu", "gpu")] == ["==1.15.1", "==1.15.1"]

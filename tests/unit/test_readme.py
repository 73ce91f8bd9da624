"""The README is checked like code: its tree, its commands, its configuration files."""

import re
import sys
from pathlib import Path

import pytest

from jobs.__main__ import JOBS, main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def tree_paths() -> list[str]:
    """The paths of the tree, each with the folders that it lies in."""
    tree = README.split("## The tree")[1].split("```")[1]
    folders: list[str] = []
    paths = []
    for line in tree.strip("\n").splitlines()[1:]:
        depth = (len(line) - len(line.lstrip())) // 2
        folders = [*folders[: depth - 1], line.split()[0].rstrip("/")]
        paths.append("/".join(folders))
    return paths


def test_every_path_of_the_tree_exists() -> None:
    assert len(tree_paths()) > 30
    assert [path for path in tree_paths() if not (ROOT / path).exists()] == []


def test_every_folder_of_the_rooms_is_in_the_tree() -> None:
    folders = {
        file.parent.relative_to(ROOT).as_posix()
        for room in ("jobs", "actors", "retrieval", "schemas")
        for file in (ROOT / room).rglob("*.py")
    }
    assert sorted(folders - set(tree_paths())) == []


def test_every_command_is_a_job() -> None:
    blocks = "\n".join(README.split("```")[1::2])
    commands = re.findall(r"^(?:\$ )?pubray(?: --config \S+)? ([a-z]+)", blocks, re.MULTILINE)
    assert set(commands) <= set(JOBS)
    assert {"ingest", "embed", "index", "promote", "serve", "search", "evaluate"} <= set(commands)


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_the_plan_for_pubmed_is_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [(command, shown)] = re.findall(r"^```\n\$ pubray (plan [^\n]*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    monkeypatch.setattr(sys, "argv", ["pubray", *command.split()])
    monkeypatch.delenv("PUBRAY_STORE", raising=False)
    assert main() == 0
    assert capsys.readouterr().out == shown

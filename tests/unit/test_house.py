"""The house is kept: rooms of a few files, and names that mean one thing."""

from collections import Counter
from pathlib import Path

from jobs.common.config import ROOT

ROOMS = ("schemas", "retrieval", "actors", "jobs", "benchmarks", "infra")
MOST_FILES = 12
LONG = ("schemas", "jobs", "tests/unit/schemas", "tests/unit/jobs")
"""Folders of one kind of thing, however many there are: what is exchanged, and the commands."""


def sources(*rooms: str) -> list[Path]:
    """The Python files of the rooms, relative to the root."""
    return [file.relative_to(ROOT) for room in rooms for file in (ROOT / room).rglob("*.py")]


def test_no_folder_is_a_hall() -> None:
    files = Counter(file.parent.as_posix() for file in sources(*ROOMS, "tests"))
    assert {folder: n for folder, n in files.items() if n > MOST_FILES and folder not in LONG} == {}


def test_a_file_name_means_one_thing() -> None:
    """A schema may share its name with what is made of it, and a command with what it exchanges."""
    names = Counter(file.name for file in sources(*ROOMS) if file.parts[0] != "schemas" and file.name != "__main__.py")
    assert {name: n for name, n in names.items() if n > 1} == {}

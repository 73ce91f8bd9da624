"""pubmed_parser, which others read PubMed with: in an environment of its own, and as a stream of its records.

It is the rival of `benchmarks/ingest.py`, and what `tests/e2e/test_against_pubmed_parser.py` compares with. Its wheel
drops packages called `data`, `docs` and `tests` beside itself, so it never goes into pubray's own environment.
"""

import json
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from retrieval.storage import atomic_path
from schemas.errors import InputError

# lxml is pubray's own version, so that a comparison of speed compares the code above it.
REQUIREMENTS = ("pubmed_parser==0.5.1", f"lxml=={version('lxml')}")
SCRIPT = Path(__file__).with_name("rival_pubmed_parser.py")


def pubmed_parser_command(cache: Path) -> list[str]:
    """Return the command that runs `rival_pubmed_parser.py`; make its environment below `cache` on the first call.

    Raises:
        InputError: pip cannot install it from the index that it is configured for.
    """
    name = "-".join([*REQUIREMENTS, f"python{sys.version_info.major}.{sys.version_info.minor}"]).replace("==", "-")
    folder = cache / "rivals" / name
    if not folder.is_dir():
        with atomic_path(str(folder)) as temporary:
            venv.create(temporary, symlinks=True)
            _install(temporary / "bin" / "python")
    # Isolated: neither PYTHONPATH nor packages of the user come in.
    return [str(folder / "bin" / "python"), "-I", "-W", "ignore", str(SCRIPT)]


def _install(python: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    done = subprocess.run([*pip, "install", "--quiet", *REQUIREMENTS], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        raise InputError(f"{REQUIREMENTS[0]} cannot be installed: {reason}; check the index that pip uses")


def pubmed_parser_records(cache: Path, path: Path, options: dict[str, bool]) -> Iterator[dict[str, Any]]:
    """Yield what `parse_medline_xml` makes of a file, in its order. It runs in a process of its own, from this call on.

    Raises:
        InputError: it cannot be installed, or it failed on the file.
    """
    command = [*pubmed_parser_command(cache), "records", str(path), json.dumps(options)]
    return _lines_of(subprocess.Popen(command, stdout=subprocess.PIPE), path)


def _lines_of(process: subprocess.Popen[bytes], path: Path) -> Iterator[dict[str, Any]]:
    with process:
        assert process.stdout
        try:
            yield from map(json.loads, process.stdout)
        except GeneratorExit:
            process.kill()
            raise
    if process.returncode:
        raise InputError(f"{path}: pubmed_parser failed on it; its own message is above")

"""What pubray is compared with, each rival in an environment of its own; pubmed_parser as a stream of its records.

pubmed_parser is the rival of `benchmarks/ingest`, and what `tests/e2e/test_against_pubmed_parser.py` compares with.
Its wheel drops packages called `data`, `docs` and `tests` beside itself, so it never goes into pubray's own
environment. autofaiss needs an older numpy. LanceDB and Matplotlib are needed by `benchmarks/index` alone, and
`datasets`, which sentence-transformers' trainer wants, by `benchmarks/train`.
"""

import json
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from retrieval.files.atomic import atomic_path
from schemas.errors import InputError

# lxml is pubray's own version, so that a comparison of speed compares the code above it.
PUBMED_PARSER = ("pubmed_parser==0.5.1", f"lxml=={version('lxml')}")
# It names arguments of FAISS that 1.15 renamed; and left to itself pip takes a pyarrow that is too new for its numpy.
AUTOFAISS = ("autofaiss==2.18.0", "faiss-cpu==1.12.0", "pyarrow==20.0.0")
LANCEDB = ("lancedb==0.40.0", "pylance==14.0.2")
MATPLOTLIB = ("matplotlib==3.11.2",)
DATASETS = ("datasets==5.2.0",)


def rival_command(cache: Path, requirements: tuple[str, ...], script: str) -> list[str]:
    """Return the command that runs a script of benchmarks/ in the environment of a rival.

    The environment is made below `cache` on the first call.

    Raises:
        InputError: pip cannot install it from the index that it is configured for.
    """
    name = "-".join([*requirements, f"python{sys.version_info.major}.{sys.version_info.minor}"]).replace("==", "-")
    folder = cache / "rivals" / name
    if not folder.is_dir():
        with atomic_path(str(folder)) as temporary:
            venv.create(temporary, symlinks=True)
            _install(temporary / "bin" / "python", requirements)
    # Isolated: neither PYTHONPATH nor packages of the user come in.
    return [str(folder / "bin" / "python"), "-I", "-W", "ignore", str(Path(__file__).parents[1] / script)]


def _install(python: Path, requirements: tuple[str, ...]) -> None:
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    done = subprocess.run([*pip, "install", "--quiet", *requirements], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        raise InputError(f"{requirements[0]} cannot be installed: {reason}; check the index that pip uses")


def pubmed_parser_command(cache: Path) -> list[str]:
    """Return the command that runs `rival_pubmed_parser.py`.

    Raises:
        InputError: pip cannot install it from the index that it is configured for.
    """
    return rival_command(cache, PUBMED_PARSER, "rivals/rival_pubmed_parser.py")


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

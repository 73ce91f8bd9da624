"""The contenders of benchmarks/index: each index in a process of its own, those of others in their environments."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.common.job_watch import ROOT
from benchmarks.index.index_contenders import DEPTH
from benchmarks.rivals.rivals import AUTOFAISS, LANCEDB, rival_command
from jobs.common.console import Progress, say
from schemas.errors import PubrayError

PATIENCE = 600.0
"""Seconds that a contender has."""
ONE_THREAD = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def suited_blas() -> dict[str, str]:
    """Return the setting for FAISS's OpenBLAS that suits this CPU, which it does not always find itself."""
    flags = Path("/proc/cpuinfo").read_text()
    kernels = "SkylakeX" if "avx512f" in flags else "Haswell" if "avx2" in flags else ""
    return {"OPENBLAS_CORETYPE": kernels} if kernels else {}


class Contender(NamedTuple):
    """One index, and what it was measured at."""

    name: str
    bytes: int
    """Anonymous memory, and mapped files without those that hold the vectors themselves."""
    bytes_with_vectors: int
    points: list[dict[str, Any]]


def own_contender(name: str, kind: str, folder: Path) -> Contender:
    """Measure an index that needs nothing but what pubray has."""
    found = run_own(kind, folder)
    vectors = found["mapped"].pop("rows.f16", 0)
    size = found["anonymous"] + sum(found["mapped"].values())
    return Contender(name, size, size + vectors, found["points"])


def run_own(kind: str, folder: Path) -> Any:
    """Run `index_contenders` as a process on one thread."""
    command = [sys.executable, "-m", "benchmarks.index.index_contenders", kind, str(folder)]
    return output(kind, command, ONE_THREAD)


def output(name: str, command: list[str], environment: dict[str, str]) -> Any:
    """Run a process and return the JSON in its last line, None if it prints nothing."""
    progress = Progress("quality", 1, "contender")
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **suited_blas(), **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    progress.log(f"{name}: {progress.seconds:.1f} s")
    lines = done.stdout.splitlines()
    return json.loads(lines[-1]) if lines else None


def rivals(folder: Path, cache: Path, memory: int) -> list[Contender]:
    """Measure those that come in environments of their own; one that cannot be installed is said to be missing."""
    arrays = [str(folder / "vectors.npy"), str(folder / "queries.npy"), str(DEPTH)]
    found: list[Contender] = []
    try:
        script = rival_command(cache, LANCEDB, "rivals/rival_lancedb.py")
        for kind in ("IVF_PQ", "IVF_RQ"):
            built = built_once(folder / f"lance-{kind}", [*script, "build", arrays[0], kind])
            result = output(kind, [*script, "search", str(folder / f"lance-{kind}"), *arrays[1:]], {})
            size = result["anonymous"]
            found.append(Contender(f"LanceDB {kind}", size, size + built["vector_bytes"], with_pmids(result, folder)))
        script = rival_command(cache, AUTOFAISS, "rivals/rival_autofaiss.py")
        built = built_once(folder / "autofaiss", [*script, "build", arrays[0], f"{memory / 1e6:.1f}MB"])
        result = output("autofaiss", [*script, "search", str(folder / "autofaiss"), *arrays[1:]], ONE_THREAD)
        size = result["anonymous"]
        found.append(Contender(f"autofaiss {built['key']}", size, size, with_pmids(result, folder)))
    except PubrayError as error:
        say(f"missing: {error}")
    except subprocess.TimeoutExpired as error:
        say(f"missing: {' '.join(error.cmd[4:6])} had not finished after {error.timeout:.0f} s")
    return found


def built_once(folder: Path, command: list[str]) -> Any:
    """Let a rival build into a folder, unless it did; return what it said of it."""
    said = folder / "built.json"
    if not said.exists():
        folder.mkdir(exist_ok=True)
        said.write_text(json.dumps(output(folder.name, [*command, str(folder)], ONE_THREAD)))
    return json.loads(said.read_text())


def with_pmids(result: Any, folder: Path) -> list[dict[str, Any]]:
    """Return points whose row numbers are PMIDs; -1 stays."""
    pmids = np.append(np.load(folder / "pmids.npy"), -1)
    return [{**point, "found": [pmids[rows].tolist() for rows in point["found"]]} for point in result["points"]]

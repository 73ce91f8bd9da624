"""What infra/run-night refuses before anything is submitted."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "infra" / "run-night"


def run(*arguments: str, store: str | None = None) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "PUBRAY_STORE"}
    given = {"PATH": f"{sys.prefix}/bin:{os.environ['PATH']}", **({"PUBRAY_STORE": store} if store else {})}
    return subprocess.run(
        [SCRIPT, *arguments], env=environment | given, text=True, capture_output=True, check=False, timeout=30
    )


def test_a_night_needs_its_options() -> None:
    for arguments in ((), ("--",), ("--config", "f")):
        done = run(*arguments, store="/nowhere")
        assert (done.returncode, "no options of pubray nightly" in done.stderr) == (2, True)


def test_the_store_is_named_where_the_night_is_started() -> None:
    done = run("--", "--source", "ncbi")
    assert done.returncode != 0
    assert "run-night: set PUBRAY_STORE" in done.stderr

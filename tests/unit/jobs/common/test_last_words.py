"""A run that ends without a word has one said for it, and no other has."""

import signal
import subprocess
import sys

import pytest

from jobs.common.last_words import LINE

RUN = "import os, sys; from jobs.common.last_words import leave_last_words; dismiss = leave_last_words(); "


@pytest.mark.parametrize(
    ("end", "code", "told"),
    [
        ("os._exit(1)", 1, f"{LINE}\n"),  # as C++ ends a process
        ("os.kill(os.getpid(), 9)", -signal.SIGKILL, f"{LINE}\n"),
        ("sys.exit(3)", 3, ""),
        ("leave_last_words()", 0, ""),
        ("dismiss(); dismiss(); os._exit(1)", 1, ""),
    ],
)
def test_who_ends_without_a_word_has_one_said(end: str, code: int, told: str) -> None:
    done = subprocess.run([sys.executable, "-c", RUN + end], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, told)


def test_an_error_is_told_by_itself() -> None:
    done = subprocess.run([sys.executable, "-c", f"{RUN} 1 / 0"], capture_output=True, text=True, check=False)
    assert done.stderr.strip().endswith("ZeroDivisionError: division by zero")

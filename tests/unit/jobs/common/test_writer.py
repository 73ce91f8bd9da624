"""One writer at a time, within a process and between processes."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs import ingest
from jobs.common.config import ROOT
from jobs.common.writer import writes, writing
from schemas.config import Config
from schemas.errors import StoreError, WriterError
from tests.support.stores.store_files import config


def test_a_job_inside_a_job_shares_the_lock(tmp_path: Path) -> None:
    with writing(config(tmp_path), "nightly"), writing(config(tmp_path), "embed"):
        assert (tmp_path / ".writer.lock").read_text().startswith("pubray nightly, process ")
    assert (tmp_path / ".writer.lock").read_text() == ""
    with writing(config(tmp_path), "embed"):
        pass


def test_another_writer_is_told_who_writes(tmp_path: Path) -> None:
    def second() -> None:
        with writing(config(tmp_path), "index"):
            pass

    with writing(config(tmp_path), "nightly"), ThreadPoolExecutor(1) as pool:
        with pytest.raises(WriterError) as error:
            pool.submit(second).result()
        with writing(config(tmp_path / "other"), "index"):  # of another store
            pass
    assert str(error.value).startswith(f"store {tmp_path}: pubray nightly, process ")
    assert str(error.value).endswith(" is writing; wait until it has ended")
    second()


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    code = f"""
import os, signal
from jobs.common.writer import writing
from tests.support.stores.store_files import config
with writing(config({str(tmp_path)!r}), "nightly"):
    print("holds", flush=True)
    signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "holds\n"
        with pytest.raises(WriterError), writing(config(tmp_path), "gc"):
            pass
        process.kill()
    with writing(config(tmp_path), "gc"):
        pass


def test_a_job_that_writes_keeps_its_options_and_holds_the_lock(tmp_path: Path) -> None:
    @writes("made")
    def run(of: Config, *, number: int = 1) -> int:
        assert (tmp_path / ".writer.lock").read_text().startswith("pubray made")
        return number

    assert run(config(tmp_path), number=3) == 3
    with writing(config(tmp_path), "nightly"), ThreadPoolExecutor(1) as pool, pytest.raises(WriterError):
        pool.submit(ingest.run, config(tmp_path), source="/nowhere").result()


def test_a_store_that_cannot_be_one_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"Not a directory|File exists"), writing(config(tmp_path / "file"), "gc"):
        pass

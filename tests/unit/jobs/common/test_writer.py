"""One writer at a time, within a process and between processes."""

import fcntl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from actors.store.lease_object import _take
from actors.store.local_store import WRITER, LocalStore
from jobs import ingest
from jobs.common.config import ROOT
from jobs.common.store import RUNS, read_current, swap_current
from jobs.common.writer import take_over, writes, writing
from retrieval.files.atomic import lock
from schemas.config import Config
from schemas.errors import LostError, MovedError, StoreError, WriterError
from schemas.manifest import Current
from schemas.store import Store
from schemas.writers import Holder
from tests.support.examples import examples
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


def test_whoever_only_looks_is_waited_for(tmp_path: Path) -> None:
    own = config(tmp_path)
    with writing(own, "gc"):
        pass  # there is a lock to be looked at
    with Path(own.store, WRITER).open("rb") as looked_at:
        assert lock(looked_at, wait=False, shared=True)
        threading.Timer(0.1, partial(fcntl.flock, looked_at, fcntl.LOCK_UN)).start()
        with writing(own, "nightly"):
            assert (LocalStore(own.store).writer() or "").startswith("pubray nightly, ")


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


class Bucket:
    """What runs need of a bucket: a dictionary, a clock that is set, replies that are lost."""

    root = "s3://bucket/x"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.time = 0.0
        self.lost_replies = 0

    def name(self, key: str) -> str:
        return f"{self.root}/{key}"

    def read(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def swap(self, key: str, expected: bytes | None, new: bytes) -> bool:
        if self.objects.get(key) != expected:
            return False
        self.objects[key] = new
        if self.lost_replies:  # the client puts again, is refused, and looks
            self.lost_replies -= 1
            return self.objects.get(key) == new
        return True

    def now(self) -> int:
        return int(self.time * 1e9)


RUNNING = 3
"""Runs of one store, some of which do not know of the others."""


class WaitsError(Exception):
    """A run would wait for another."""


class Runs(RuleBasedStateMachine):
    """Runs that take a lease, build on CURRENT, and promote what they built, with pauses anywhere between."""

    def __init__(self) -> None:
        super().__init__()
        self.bucket = Bucket()
        self.store = cast("Store", self.bucket)
        self.parents: dict[str, str | None] = {}
        self.newest = ""
        self.built: dict[str, str] = {}
        self.seen: dict[str, Current | None] = {}
        self.number = 0

    def current(self) -> Current | None:
        return read_current(self.store)

    def served(self) -> str | None:
        current = self.current()
        return current.version if current else None

    @rule()
    def begin(self) -> None:
        """A new run takes the lease, if it can be had."""
        if self.number == RUNNING:
            return
        self.number += 1
        run = f"r{self.number}"

        def pause(_: float) -> None:
            raise WaitsError

        with suppress(WriterError, WaitsError):
            _take(self.bucket, Holder(run, run, lambda: "", lambda: None), 60, pause, lambda: self.bucket.time)
            before = self.served()
            take_over(self.store, run)
            self.newest = run
            assert self.served() == before

    @rule(run=st.integers(1, RUNNING))
    def build(self, run: int) -> None:
        """A run that thinks that it writes builds on CURRENT."""
        if run <= self.number:
            version = f"v{len(self.parents)}"
            self.parents[version] = self.served()
            self.built[f"r{run}"] = version

    @rule(run=st.integers(1, RUNNING))
    def look(self, run: int) -> None:
        """It reads CURRENT, to promote over it …"""
        self.seen[f"r{run}"] = self.current()

    @rule(run=st.integers(1, RUNNING))
    def promote(self, run: int) -> None:
        """… and whenever that is, does it."""
        name = f"r{run}"
        seen, version = self.seen.get(name), self.built.get(name)
        if version is None or self.parents[version] != (seen.version if seen else None):
            return
        before, token = self.served(), RUNS.set({self.bucket.root: name})
        try:
            epoch = seen.epoch + 1 if seen else 1
            writer = seen.writer if seen else None
            swap_current(self.store, seen, Current(version=version, epoch=epoch, writer=writer))
        except (MovedError, LostError):
            assert self.served() == before
        else:
            assert name == self.newest  # nobody else has begun since
            assert self.parents[version] == before
        finally:
            RUNS.reset(token)

    @rule(version=st.integers(0, 9))
    def by_name(self, version: int) -> None:
        """A person promotes, or rolls back to, what he names; he does not wait for the lease."""
        if (name := f"v{version}") in self.parents:
            current = self.current() or Current(version=None, epoch=0)
            new = current.model_copy(update={"version": name, "epoch": current.epoch + 1})
            swap_current(self.store, self.current(), new)

    @rule(seconds=st.sampled_from([1.0, 20.0, 61.0, -30.0]))
    def pass_time(self, seconds: float) -> None:
        self.bucket.time = max(0.0, self.bucket.time + seconds)

    @rule()
    def lose_a_reply(self) -> None:
        self.bucket.lost_replies += 1


TestRuns = Runs.TestCase
TestRuns.settings = settings(examples(100, whole=1000), stateful_step_count=40, deadline=None)

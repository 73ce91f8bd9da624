"""The night that is disturbed: its source files, the store that it begins with, and what it makes undisturbed."""

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from actors.store.stores import open_store
from jobs import copy
from jobs.common.config import load_config
from jobs.common.run_records import runs
from jobs.common.store import read_current, served_version, versions
from jobs.steps.index.version_files import check_answers
from schemas.config import Config
from schemas.errors import PubrayError
from schemas.manifest import IndexVersion
from schemas.store import Store
from tests.campaign.driven import Done, end_of
from tests.campaign.round import CONFIG
from tests.campaign.world import World
from tests.support.models import tiny
from tests.support.s3.bucket_server import Bucket, bucket
from tests.support.s3.ceph_server import ceph_bucket

STAGES = ("ingest", "embed", "index", "promote", "compact")
ROOT = Path(__file__).parents[2]
DISK_BYTES = 1 << 27
CHANGING = ("CURRENT", "lease", "runs/", ".")
"""Keys of what is another in each run, or belongs to the folder."""
LOOK_SECONDS = 0.3
LEASE = 6
"""Seconds."""


@dataclass
class Place:
    """A store of a night, and how it is reached."""

    config: Config
    folder: Path
    """A disk of its own: the store, or its cache."""
    bucket: Bucket | None
    damaged: str | None = None
    """A key whose object is not as it was written; who reads it is to say so, CURRENT's readers too."""

    @property
    def store(self) -> Store:
        return open_store(self.config)

    @property
    def root(self) -> str:
        return self.config.store

    def keys(self) -> set[str]:
        """What lasts."""
        return {one.key for one in self.store.entries("") if not one.key.startswith(CHANGING)}

    def stage(self) -> str | None:
        """At which stage the night is that runs."""
        last = [one for one in runs(self.store).runs if one.job == "nightly"][-1:]
        return last[0].stage if last and last[0].outcome == "running" else None


@dataclass
class Watch:
    """Whether CURRENT answers all the time, and which epochs it has."""

    place: Place
    wrong: list[str] = field(default_factory=list)
    answers: int = 0

    def look(self, done: threading.Event) -> None:
        """Ask until it is over."""
        config = self.place.config.with_values(cache=str(self.place.folder.parent / f"watch-{self.place.folder.name}"))
        store, epoch = open_store(config), 0
        while not done.wait(LOOK_SECONDS):
            try:
                current, version = read_current(store), served_version(store)
                check_answers(store, version)
            except PubrayError as error:
                if self.place.damaged and f"/{self.place.damaged}: sha256 " in str(error):
                    continue
                self.wrong.append(f"CURRENT does not answer: {error}")
                continue
            self.answers += 1
            if current and current.epoch < epoch:
                self.wrong.append(f"epoch {current.epoch} after {epoch}")
            epoch = max(epoch, current.epoch if current else 0)


@contextmanager
def watched(place: Place) -> Iterator[Watch]:
    """Ask CURRENT meanwhile."""
    watch, done = Watch(place), threading.Event()
    thread = threading.Thread(target=watch.look, args=(done,))
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        thread.join()


def all_versions(place: Place) -> dict[str, IndexVersion]:
    """Return the versions of a store, but for when they were made."""
    return {version.id: version.model_copy(update={"created": ""}) for version in versions(place.store)}


@contextmanager
def disk_of_its_own(folder: Path) -> Iterator[None]:
    """Mount a small disk on a new folder, which only root may do; else it is a folder like others."""
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mounting, capture_output=True, check=False).returncode == 0
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Nights:
    """Makes the same night again and again, in a folder and in a bucket."""

    def __init__(self, folder: Path, bucket: Bucket) -> None:
        """Make the files, the store before the night, and the undisturbed night."""
        self.folder, self.bucket, self.number = folder, bucket, 0
        tiny.encoder(folder / "model")
        self.file = folder / "config.toml"
        self.file.write_text(CONFIG.format(folder=folder, dimension=tiny.DIMENSION))
        world = World(folder / "issued", random.Random(1), pubmed=True)
        names = [world.issue() for _ in range(5)]
        self.base = Place(self._config(folder / "base", folder / "cache"), folder, None)
        baseline, before, self.source = (world.offer(folder / str(n), names[:n]) for n in (1, 2, 5))
        self.command(self.base, "ingest", "--source", str(baseline), "--baseline")
        for source in (baseline, before):
            self.command(self.base, "nightly", "--source", str(source))
        with self.place(in_bucket=False) as place:
            done = self.night(place)
            assert done.code == 0, done.error
            self.seconds: dict[str, float] = json.loads(done.out)["seconds"]
            self.expected, self.left = all_versions(place), self.cleaned(place)

    @classmethod
    @contextmanager
    def beside_a_server(cls, folder: Path, *, ceph: bool) -> Iterator["Nights"]:
        """Make them."""
        with ceph_bucket(folder / "ceph") if ceph else bucket() as server:
            yield cls(folder, server)

    def _config(self, store: Path | str, cache: Path) -> Config:
        settings = ["index.max_deltas=1", f"lease.seconds={LEASE}", "index.num_shards=2"]
        return load_config(str(self.file), settings, {"PUBRAY_STORE": str(store), "PUBRAY_CACHE": str(cache)})

    @contextmanager
    def place(self, *, in_bucket: bool) -> Iterator[Place]:
        """Give a copy of the store before the night; on a disk of its own, where this process may make one."""
        self.number += 1
        disk = self.folder / f"disk-{self.number}"
        with ExitStack() as stack:
            stack.enter_context(disk_of_its_own(disk))
            store = f"s3://b-1/night-{self.number}" if in_bucket else str(disk / "store")
            place = Place(self._config(store, disk / "cache"), disk, self.bucket if in_bucket else None)
            copy.run(place.config, source=self.base.root, target=store)
            yield place

    def words(self, place: Place, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """Return what is run, and its environment."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        settings = {"index.max_deltas": 1, "lease.seconds": LEASE, "index.num_shards": 2}
        options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        kept |= {"PUBRAY_STORE": place.root, "PUBRAY_CACHE": place.config.cache}
        kept |= {"AWS_ENDPOINT_URL": place.bucket.proxy.address} if place.bucket else {}
        return [sys.executable, "-m", "jobs", "--config", str(self.file), *options, *arguments], kept

    @contextmanager
    def started(self, place: Place) -> Iterator["subprocess.Popen[str]"]:
        """Start the night, in a session of its own."""
        words, environment = self.words(place, "nightly", "--source", str(self.source), "--json")
        with subprocess.Popen(
            words,
            cwd=ROOT,
            env=environment,
            text=True,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            yield process

    def command(self, place: Place, *arguments: str) -> None:
        """Run a command, which ends well."""
        words, environment = self.words(place, *arguments)
        done = subprocess.run(words, cwd=ROOT, env=environment, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr

    def night(self, place: Place) -> Done:
        """Run the night to its end."""
        with self.started(place) as process:
            return end_of(process)

    def cleaned(self, place: Place) -> set[str]:
        """Return what is left after `gc`."""
        self.command(place, "gc", "--grace", "0", "--keep", "1", "--unpromoted", "0")
        return place.keys()

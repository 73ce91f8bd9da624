"""A night that one fault meets, and the nights after it until one ends well."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from actors.store.s3_client import client
from tests.campaign.driven import end_of, wait
from tests.faults.nights import LEASE, Nights, Place, all_versions, watched
from tests.support.processes import frozen, kill, kill_all, processes

PATIENCE = 4
"""Nights after the disturbed one."""
OUTAGE = 4.0
"""Seconds of a network that is cut, and of a server that is silent."""


class Met(NamedTuple):
    """A night that is under way."""

    nights: Nights
    place: Place
    process: "subprocess.Popen[str]"
    rng: random.Random


class Fault(NamedTuple):
    """What happens to it. `does` returns what ends it, after the night."""

    name: str
    does: Callable[[Met], Callable[[], None] | None]
    in_bucket: bool | None = None
    """Where it can be; None: in both."""


class Disturbed(NamedTuple):
    """What became of a night."""

    place: str
    fault: str
    stage: str
    """That it met; empty: it came too late."""
    ended: str
    """The exit code of the disturbed night, or its signal."""
    again: int
    """Nights after it, until one ended well."""
    wrong: tuple[str, ...]

    @property
    def met(self) -> bool:
        return bool(self.stage)

    @property
    def line(self) -> str:
        what = f"{self.fault} at {self.stage or 'its end'}, {self.place}: ended with {self.ended}, {self.again} more"
        return f"{what}: {'; '.join(self.wrong) or 'as it should be'}"

    @classmethod
    def by(cls, nights: Nights, fault: Fault, stage: str, rng: random.Random) -> "Disturbed":
        """Disturb a night at a stage, run it again until it ends well, and look at all that it left."""
        in_bucket = rng.random() < 0.5 if fault.in_bucket is None else fault.in_bucket
        with nights.place(in_bucket=in_bucket) as place, watched(place) as watch:
            with nights.started(place) as process:
                wait(process, lambda: place.stage() == stage)
                time.sleep(rng.random() * nights.seconds.get(stage, 0))
                met = (place.stage() if process.poll() is None else None) or ""
                undo = fault.does(Met(nights, place, process, rng))
                done = end_of(process)
                if undo:
                    undo()
                kill_all(place.root)  # what outlived its driver
            wrong = list(one_line(done.code, done.error))
            again, last = 0, done
            while last.code and again < PATIENCE:
                again, last = again + 1, nights.night(place)
            if last.code:
                wrong.append(f"the night after it ends with {last.code}: {last.last}")
            wrong += watch.wrong if watch.answers else ["CURRENT was never asked"]
            wrong += left(nights, place)
        return cls("bucket" if in_bucket else "folder", fault.name, met, str(done.code), again, tuple(wrong))


def one_line(code: int, error: str) -> list[str]:
    """Return what is wrong with how a night that was not killed says why it ended."""
    last = (error.strip().splitlines() or [""])[-1]
    bad = code > 0 and ("Traceback" in error or not last.startswith("pubray: "))
    return [f"exit {code} without a line: {last}"] if bad else []


def left(nights: Nights, place: Place) -> list[str]:
    """Return what is otherwise than after an undisturbed night."""
    wrong, found, expected = [], all_versions(place), nights.expected
    if others := {name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)}:
        wrong.append(f"versions are others: {', '.join(sorted(others))}")
    nights.command(place, "status", "--verify")
    keys = nights.cleaned(place)
    if odd := keys ^ nights.left:
        wrong.append(f"{len(odd)} objects are left over or missing, {min(odd)} among them")
    if unfinished := list(place.store.unfinished()):
        wrong.append(f"an upload was not finished: {unfinished[0].key}")
    return wrong


def kill_driver(met: Met) -> None:
    met.process.kill()


def kill_everything(met: Met) -> None:
    kill_all(met.place.root)


def kill_worker(met: Met) -> None:
    if found := processes(met.place.root, "ray::"):
        kill(met.rng.choice(found))


def kill_raylet(met: Met) -> None:
    for process in processes(met.place.root, "raylet/raylet"):
        kill(process)


def stop_driver(met: Met) -> None:
    """For longer than its lease: in a bucket another night takes over, and this one can commit nothing more."""
    with suppress(ProcessLookupError), frozen([met.process.pid]):
        time.sleep(LEASE / 2)
        if met.place.bucket:
            other = met.nights.night(met.place)
            assert other.code == 0, other.error


def cut_network(met: Met) -> None:
    assert met.place.bucket
    met.place.bucket.proxy.fault("reset", ".", times=10**6)
    time.sleep(OUTAGE)
    met.place.bucket.proxy.faults.clear()


def throttle(met: Met) -> Callable[[], None]:
    return _faults(met, "slow down", ".", 8)


def lose_replies(met: Met) -> Callable[[], None]:
    return _faults(met, "lose", "^(PUT|POST|DELETE)", 3)


def _faults(met: Met, kind: str, pattern: str, times: int) -> Callable[[], None]:
    assert met.place.bucket
    met.place.bucket.proxy.fault(kind, pattern, times)  # type: ignore[arg-type]
    return met.place.bucket.proxy.faults.clear


def silence_server(met: Met) -> None:
    assert met.place.bucket
    with frozen([met.place.bucket.process]):
        time.sleep(OUTAGE)


def kill_server(met: Met) -> None:
    """It comes back after a while, with all that it had."""
    bucket = met.place.bucket
    assert bucket
    assert bucket.restart
    kill(bucket.process)
    time.sleep(OUTAGE)
    bucket.process = bucket.restart()


def kill_head(met: Met) -> None:
    for process in processes(met.place.root, "gcs_server"):
        kill(process)


def fill_disk(met: Met) -> Callable[[], None]:
    """That of the store, or of the cache where the store is a bucket."""
    filler, room = met.place.folder / ".filler", os.statvfs(met.place.folder)
    with suppress(OSError), filler.open("wb") as file:  # who writes meanwhile may have taken the last of it
        file.write(bytes(room.f_bavail * room.f_frsize))
    return filler.unlink


def damage(met: Met) -> Callable[[], None] | None:
    """Change a byte of something that this night has made; it comes back, as from a backup, after the night."""
    before = {one.key for one in met.nights.base.store.entries("")}
    made = [key for key in sorted(met.place.keys() - before) if not key.startswith(("snapshots/", "versions/"))]
    if not made:
        return None
    key = met.rng.choice(made)
    content = met.place.store.read(key) or b""
    place = met.rng.randrange(len(content))
    met.place.damaged = key
    _put(met.place, key, content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])

    def restore() -> None:
        if met.place.store.facts(key) is not None:  # a worker's shards go with the night that they were made for
            _put(met.place, key, content)
        met.place.damaged = None

    return restore


def _put(place: Place, key: str, content: bytes) -> None:
    if place.bucket:
        client().pipe_file(f"{place.root.removeprefix('s3://')}/{key}", content)
    else:
        Path(place.root, key).write_bytes(content)


def interrupt(met: Met) -> None:
    met.process.send_signal(signal.SIGINT)


FAULTS = (
    Fault("driver killed", kill_driver),
    Fault("power cut", kill_everything),
    Fault("worker killed", kill_worker),
    Fault("raylet killed", kill_raylet),
    Fault("head killed", kill_head),
    Fault("Ctrl-C", interrupt),
    Fault("driver stopped for longer than its lease", stop_driver),
    Fault("disk full", fill_disk),
    Fault("object damaged", damage),
    Fault("network cut", cut_network, in_bucket=True),
    Fault("throttled", throttle, in_bucket=True),
    Fault("replies lost", lose_replies, in_bucket=True),
    Fault("server silent", silence_server, in_bucket=True),
)
KILLED_SERVER = Fault("server killed", kill_server, in_bucket=True)
"""Of one that keeps what it has: Ceph's."""

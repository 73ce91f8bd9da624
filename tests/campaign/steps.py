"""What is done to a store: each step ends with a look at what is served."""

import shutil
from collections.abc import Callable

from jobs.common.store import compacted_id
from tests.campaign.driven import end_of, wait
from tests.campaign.round import DONE, GAP, HELD, OTHER_WRITER, FaultError, Round

Step = Callable[[Round], None]


def night(of: Round) -> None:
    """A night as it should be."""
    of.world.issue()
    of.finish()


def nothing_new(of: Round) -> None:
    """A night without a new file."""
    of.finish()


def ahead(of: Round) -> None:
    """A night whose clock is wrong, either way."""
    of.world.issue()
    of.finish(ahead=of.rng.choice([-40, -1, 1, 40]) * 86_400)


def killed(of: Round) -> None:
    """A night that is killed, once or twice, and finished, perhaps with other settings."""
    of.world.issue()
    for _ in range(of.rng.choice([1, 1, 2])):
        of.kill_during("nightly", "--source", str(of.offer()))
        of.change_settings()
    of.finish()


def killed_build(of: Round) -> None:
    """A full build that is killed while its workers write, and finished with other settings."""
    for last in (False, True):
        of.change_settings()
        of.expect(of.store.run("embed"), DONE)  # another number of rows a part needs other vector parts
        if not last:
            of.kill_during("index", "--full", at="shards")
    of.expect(of.store.run("index", "--full"), DONE)
    of.promote_anew()
    of.check(of.taken())


def two_at_once(of: Round) -> None:
    """Two nights that begin together, each with a file that the other lacks; then one with what none of them took."""
    if not of.world.pubmed:  # which file comes first is then not known
        night(of)
        return
    files = [of.world.issue(), of.world.issue()]
    of.allowed += [of.world.alive(set(of.world.names) - of.missing - {file}) for file in files]
    of.allowed.append(of.taken())
    folders = [of.offer(without={file}) for file in files]
    left = set(of.world.names) - of.missing
    with (
        of.store.started("nightly", "--source", str(folders[0])) as first,
        of.store.started("nightly", "--source", str(folders[1])) as second,
    ):
        for process, folder in zip((first, second), folders, strict=True):
            of.expect(done := end_of(process), DONE, OTHER_WRITER, HELD, GAP)
            if done.code != OTHER_WRITER:
                left -= {file.name for file in folder.iterdir()}
    of.check()
    of.finish(only={of.world.issue(), *left})


def rolled_back_during(of: Round) -> None:
    """A rollback while a night is under way: the night must not undo it. The next night brings what is new."""
    if not of.store.current().get("history"):
        night(of)
        return
    of.world.issue()
    kind = of.rng.choice(["snapshots", "vectors", "segments", "tombstones"])
    before = of.store.files(kind)
    with of.store.started("nightly", "--source", str(of.offer())) as process:
        if wait(process, lambda: of.store.files(kind) > before):
            back = of.store.run("rollback")
            there = of.store.current()["version"]
            done = end_of(process)
            of.expect(done, DONE, HELD, GAP)
            now = of.store.current()["version"]
            if back.code == 0 and now not in (there, compacted_id(there)):
                raise FaultError(f"the night undid a rollback: {there} became {now}")
    of.world.issue()
    of.finish()


def rolled_back(of: Round) -> None:
    """A rollback between nights: to the last version of other content or build. The next night brings what is new."""
    served, history = of.store.served(), of.store.current().get("history", [])
    if (back := of.store.run("rollback")).code != 0:
        of.expect(back, 1)
        return
    now = of.store.served()
    manifests = [of.store.version(version) for version in (served.version, now.version)]
    builds = {(manifest.get("rules"), manifest.get("recipe")) for manifest in manifests}
    passed = {served.version, *history[history.index(now.version) + 1 :]}
    if now.alive == served.alive and len(builds) == 1 and not passed & of.anew:
        raise FaultError(f"a rollback from {served.version} to {now.version} changed nothing")
    if of.served.get(now.version, now.alive) != now.alive:
        raise FaultError(f"{now.version} serves something else than before")
    of.world.issue()
    of.finish()


def late(of: Round) -> None:
    """A night that lacks a file, which must be said, and one that has it."""
    if not of.world.pubmed:  # what comes later is later
        night(of)
        return
    late = of.world.issue()
    of.world.issue()
    of.missing.add(late)
    of.finish(gap=True)
    of.missing.remove(late)
    of.finish()


def reordered(of: Round) -> None:
    """An article part is lost, and its file comes again with its records in another order."""
    name = of.rng.choice(of.world.names)
    part = of.store.folder / "articles" / f"{name.split('.')[0]}.parquet"
    if not part.exists():
        night(of)
        return
    shutil.copy(part, of.folder / "kept.parquet")
    part.unlink()
    of.world.reorder(name)
    of.world.issue()
    of.allowed.append(of.taken())
    done = of.store.run("nightly", "--source", str(of.offer()))
    of.check()
    if done.code not in (DONE, GAP):
        of.one_line(done)
        shutil.copy(of.folder / "kept.parquet", part)
        # The file is still the other one: what was ingested from it counts.
        of.expect(of.store.run("nightly", "--source", str(of.offer(without={name}))), DONE, GAP)
        of.check(of.taken())


def remade(of: Round) -> None:
    """A run that is killed makes an article part again, its records in another order; what is built then must know."""
    parts = {name: of.store.folder / "articles" / f"{name.split('.')[0]}.parquet" for name in of.world.names}
    name = of.rng.choice([name for name, part in parts.items() if part.exists()])
    parts[name].unlink()
    of.world.reorder(name)
    of.kill_during("ingest", "--source", str(of.offer()), at="articles")
    of.store.settings["index.nlist"] = of.rng.choice([3, 5, 6])  # so that all rows are read again
    done = of.store.run("index", "--full")
    if done.code == DONE:
        of.promote_anew()
    else:
        of.one_line(done)
    of.check()
    of.finish()


def compacted(of: Round) -> None:
    """A compaction that is asked for."""
    of.expect(of.store.run("compact", "--force"), DONE)
    of.expect(of.store.run("promote"), DONE)
    of.check(of.taken())


def cleaned(of: Round) -> None:
    """gc, then a look at every byte."""
    of.expect(of.store.run("gc", "--keep", str(of.rng.choice([0, 1, 3]))), DONE)
    of.expect(of.store.run("status", "--verify"), DONE)
    of.check()


def cleaned_during_a_rollback(of: Round) -> None:
    """gc that keeps as little as it can beside a rollback: what is served afterwards is whole."""
    of.allowed += of.served.values()
    with of.store.started("gc", "--keep", "0", "--grace", "0") as gc:
        back = of.store.run("rollback")
        of.expect(end_of(gc), DONE)
    of.expect(back, DONE, 1)
    of.expect(of.store.run("status", "--verify"), DONE)
    of.check()
    of.world.issue()
    of.finish()


def full_disk(of: Round) -> None:
    """A night on a disk that has little room, or none, or may not be written, and one when it has again."""
    if not of.store.disk:
        night(of)
        return
    of.world.issue()
    of.allowed.append(of.taken())
    with of.store.short_of_room(of.rng.choice([None, 0, 4096, 30_000, 200_000])):
        done = of.store.run("nightly", "--source", str(of.offer()))
        of.expect(done, DONE, GAP, 1)
    of.check()
    of.finish()


def damaged(of: Round) -> None:
    """A file of what is served is cut off: a night says so, and a full build mends it."""
    segments = of.store.version(of.store.current()["version"])["segments"]
    folder = of.store.folder / "segments" / of.rng.choice(segments)["id"]
    file = of.rng.choice([file for file in folder.iterdir() if file.stat().st_size > 1 and file.suffix != ".json"])
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)
    done = of.store.run("nightly", "--source", str(of.offer()))
    of.expect(done, 1)
    of.expect(of.store.run("index", "--full"), DONE)
    of.promote_anew()
    of.check(of.taken())


def unreadable(of: Round) -> None:
    """A manifest of a later pubray lies in the store: nights go on, and gc leaves what that may name."""
    manifest = of.store.folder / "versions" / "0000000000000000.json"
    manifest.write_text('{"of": "tomorrow"}')
    before = of.store.files("versions")
    of.expect(of.store.run("gc", "--keep", "0", "--grace", "0"), DONE)
    if of.store.files("versions") != before:
        raise FaultError("gc removed versions beside a manifest that it cannot read")
    of.expect(of.store.run("status"), DONE)
    night(of)
    manifest.unlink()


def there_and_back(of: Round) -> None:
    """A setting of the search is changed, a night later it is what it was, and there is nothing new."""
    for nprobe in (2, 3, 2, 3):
        of.store.settings["index.nprobe"] = nprobe
        of.finish()


STEPS: dict[Step, int] = {
    night: 2,
    nothing_new: 1,
    ahead: 1,
    killed: 4,
    killed_build: 3,
    two_at_once: 3,
    rolled_back_during: 3,
    rolled_back: 2,
    late: 2,
    reordered: 2,
    remade: 2,
    compacted: 1,
    cleaned: 1,
    cleaned_during_a_rollback: 2,
    full_disk: 2,
    damaged: 1,
    unreadable: 1,
    there_and_back: 1,
}
"""How often each is chosen, beside the others."""

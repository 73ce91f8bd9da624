"""Random nights against a plain model: kills, races, rollbacks, changed settings, lost and late files, wrong clocks.

    make campaign [ARGS="--minutes 60 --seed 7 --tree FOLDER"]

A round is a new store and some steps. After each step what CURRENT serves must be what a plain replay of the source
files says: each article once, with its own texts and its own vector. What is driven is the command line of a checkout
(`--tree`, default this one), so that an older state can be attacked too. A round ends at its first fault, which is
printed with the steps that led to it; the seed makes the same steps again, but not the same races.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from jobs.common.console import say
from tests.campaign.driven import Done, Store, end_of, wait
from tests.campaign.world import Alive, World
from tests.support.models import tiny

ROOT = Path(__file__).parents[2]
KINDS = ("articles", "snapshots", "vectors", "quantizers", "shards", "segments", "tombstones", "versions")
"""Of files, in the order in which a night makes them."""
DONE, OTHER_WRITER, HELD, GAP = 0, 4, 6, 8
"""Exit codes."""
STEPS_A_ROUND = 8
CONFIG = """
store = "unused"
cache = "{folder}/cache"
[selection]
rule = "abstract"
[encoder]
name = "tiny"
pooling = "mean"
normalize = true
dimension = {dimension}
query = {{ model = "{folder}/model", max_length = 24 }}
article = {{ model = "{folder}/model", max_length = 24 }}
[engine]
kind = "torch"
precision = "float32"
[embed]
actors = 1
[index]
nlist = 4
recall_queries = 5
recall_floor = 0
max_removed = 1
max_deltas = 4
[rerank]
kind = "none"
"""


class FaultError(Exception):
    """What is not as it should be."""


class Round:
    """A store, its source files, and what is expected of it."""

    def __init__(self, tree: Path, folder: Path, rng: random.Random) -> None:
        """Nothing is done yet; the first step brings the first file."""
        self.rng, self._folder = rng, folder
        tiny.encoder(folder / "model")
        (folder / "config.toml").write_text(CONFIG.format(folder=folder, dimension=tiny.DIMENSION))
        self.world = World(folder / "issued", rng, pubmed=rng.random() < 0.7)
        self.store = Store(tree, folder / "store", folder / "config.toml")
        self.missing: set[str] = set()
        self.held: dict[str, Alive] = {}
        """What each version was found to serve."""
        self.allowed: list[Alive] = [{}]
        """What CURRENT may serve at the moment."""

    # Steps

    def night(self) -> None:
        """A night as it should be."""
        self.world.issue()
        self.finish()

    def nothing_new(self) -> None:
        """A night without a new file."""
        self.finish()

    def ahead(self) -> None:
        """A night whose clock is wrong, either way."""
        self.world.issue()
        self.finish(ahead=self.rng.choice([-40, -1, 1, 40]) * 86_400)

    def killed(self) -> None:
        """A night that is killed, once or twice, and finished, perhaps with other settings."""
        self.world.issue()
        for _ in range(self.rng.choice([1, 1, 2])):
            self.kill_during("nightly", "--source", str(self.offer()))
            self.change_settings()
        self.finish()

    def killed_build(self) -> None:
        """A full build that is killed while its workers write, and finished with other settings."""
        self.change_settings()
        self.kill_during("index", "--full", at="shards")
        self.change_settings()
        self.expect(self.store.run("index", "--full"), DONE)
        self.expect(self.store.run("promote"), DONE)
        self.check(self.taken())

    def two_at_once(self) -> None:
        """Two nights that begin together, each with a file that the other lacks; then one with both."""
        if not self.world.pubmed:  # which file comes first is then not known
            self.night()
            return
        files = [self.world.issue(), self.world.issue()]
        self.allowed += [self.world.alive(set(self.world.names) - self.missing - {file}) for file in files]
        self.allowed.append(self.taken())
        folders = [self.offer(without={file}) for file in files]
        with (
            self.store.started("nightly", "--source", str(folders[0])) as first,
            self.store.started("nightly", "--source", str(folders[1])) as second,
        ):
            for process in (first, second):
                self.expect(end_of(process), DONE, OTHER_WRITER, HELD, GAP)
        self.check()
        self.finish()

    def rolled_back_during(self) -> None:
        """A rollback while a night is under way: the night must not undo it. The next night brings what is new."""
        if len(self.store.current().get("history", ())) < 1:
            self.night()
            return
        self.world.issue()
        kind = self.rng.choice(["snapshots", "vectors", "segments", "tombstones"])
        before = self.store.files(kind)
        with self.store.started("nightly", "--source", str(self.offer())) as night:
            if wait(night, lambda: self.store.files(kind) > before):
                back = self.store.run("rollback")
                there = self.store.current()["version"]
                done = end_of(night)
                self.expect(done, DONE, HELD, GAP)
                now = self.store.current()["version"]
                if back.code == 0 and now != there and self.store.version(now)["parent"] != there:
                    raise FaultError(f"the night undid a rollback: {there} became {now}, which was not built on it")
        self.world.issue()
        self.finish()

    def rolled_back(self) -> None:
        """A rollback between nights: to the last version of other content. The next night brings what is new."""
        served = self.store.served()
        if (back := self.store.run("rollback")).code != 0:
            self.expect(back, 1)
            return
        now = self.store.served()
        if now.alive == served.alive:
            raise FaultError(f"a rollback from {served.version} to {now.version} changed nothing")
        if self.held.get(now.version, now.alive) != now.alive:
            raise FaultError(f"{now.version} serves something else than before")
        self.world.issue()
        self.finish()

    def late(self) -> None:
        """A night that lacks a file, which must be said, and one that has it."""
        if not self.world.pubmed:  # what comes later is later
            self.night()
            return
        late = self.world.issue()
        self.world.issue()
        self.missing.add(late)
        self.finish(gap=True)
        self.missing.remove(late)
        self.finish(late=late)

    def reordered(self) -> None:
        """An article part is lost, and its file comes again with its records in another order."""
        name = self.rng.choice(self.world.names)
        part = self.store.folder / "articles" / f"{name.split('.')[0]}.parquet"
        if not part.exists():
            self.night()
            return
        shutil.copy(part, self._folder / "kept.parquet")
        part.unlink()
        self.world.reorder(name)
        self.world.issue()
        self.allowed.append(self.taken())
        done = self.store.run("nightly", "--source", str(self.offer()))
        self.check()
        if done.code not in (DONE, GAP):
            self.one_line(done)
            shutil.copy(self._folder / "kept.parquet", part)
            # The file is still the other one: what was ingested from it counts.
            self.expect(self.store.run("nightly", "--source", str(self.offer(without={name}))), DONE, GAP)
            self.check(self.taken())

    def compacted(self) -> None:
        """A compaction that is asked for."""
        self.expect(self.store.run("compact", "--force"), DONE)
        self.expect(self.store.run("promote"), DONE)
        self.check(self.taken())

    def cleaned(self) -> None:
        """gc, then a look at every byte."""
        self.expect(self.store.run("gc", "--keep", str(self.rng.choice([0, 1, 3]))), DONE)
        self.expect(self.store.run("status", "--verify"), DONE)
        self.check()

    # What steps are made of

    def taken(self) -> Alive:
        """What is alive by all files but those that are missing."""
        return self.world.alive(set(self.world.names) - self.missing)

    def offer(self, without: set[str] | None = None) -> Path:
        """A folder of all files but those that are missing, and these."""
        names = [name for name in self.world.names if name not in self.missing | (without or set())]
        return self.world.offer(self._folder / "offers" / str(time.monotonic_ns()), names)

    def change_settings(self) -> None:
        """Turn the knobs that must not matter."""
        choices: dict[str, list[object]] = {
            "index.rows_per_worker": [8, 20, 100_000],
            "index.min_workers": [1, 2, 3],
            "embed.rows_per_part": [16, 64, 8192],
        }
        self.store.settings = {key: self.rng.choice(values) for key, values in choices.items()}

    def kill_during(self, *arguments: str, at: str = "") -> None:
        """Start a command and kill all of it some time after its next files of a kind."""
        kind, count = at or self.rng.choice(KINDS), self.rng.choice([1, 1, 3])
        before = self.store.files(kind)
        self.allowed.append(self.taken())
        with self.store.started(*arguments) as process:
            wait(process, lambda: self.store.files(kind) >= before + count)
            time.sleep(self.rng.choice([0, 0, 0.1, 1]))
            self.store.kill()
            process.communicate()
        self.check()

    def finish(self, *, gap: bool = False, late: str = "", ahead: float = 0) -> None:
        """Run a night to its end: CURRENT serves what is alive."""
        first = not self.store.current() and self.world.pubmed
        if first:
            self.expect(self.store.run("ingest", "--source", str(self.offer()), "--baseline", ahead=ahead), DONE)
        done = self.store.run("nightly", "--source", str(self.offer()), ahead=ahead)
        self.expect(done, DONE, GAP)
        if gap and done.code != GAP:
            raise FaultError(f"files are missing ({', '.join(self.missing)}), and the night ends with {done.code}")
        if not gap and done.code == GAP and not self.missing and not late:
            raise FaultError(f"no file is missing, and the night ends with {done.code}: {done.last}")
        self.allowed = [self.taken()]
        self.check()

    def expect(self, done: Done, *codes: int) -> None:
        """A command ends with one of these codes, in one line if it is none of the good ones."""
        if done.code not in codes:
            raise FaultError(f"exit {done.code}: {done.last}")
        if done.code not in (DONE, GAP):
            self.one_line(done)

    def one_line(self, done: Done) -> None:
        """A refusal is one line."""
        if "Traceback" in done.error or not done.last.startswith("pubray: "):
            raise FaultError(f"exit {done.code} without a line: {done.last}")

    def check(self, wanted: Alive | None = None) -> None:
        """What is served is whole, and one of what is allowed, or what is wanted."""
        served = self.store.served()
        if served.faults:
            raise FaultError(f"{served.version}: {served.faults[0]} (and {len(served.faults) - 1} more)")
        allowed = [wanted] if wanted is not None else self.allowed
        if served.alive not in allowed:
            lost = sorted(allowed[-1].keys() - served.alive.keys())
            more = sorted(served.alive.keys() - allowed[-1].keys())
            other = sorted(p for p, r in allowed[-1].items() if p in served.alive and served.alive[p] != r)
            raise FaultError(
                f"{served.version}: {len(lost)} lost {lost[:3]}, {len(more)} too many {more[:3]}, {len(other)} "
                f"outdated {other[:3]}"
            )
        if served.version:
            self.held[served.version] = served.alive
        self.allowed = [served.alive]


STEPS: dict[Callable[[Round], None], int] = {
    Round.night: 2,
    Round.nothing_new: 1,
    Round.ahead: 1,
    Round.killed: 4,
    Round.killed_build: 3,
    Round.two_at_once: 3,
    Round.rolled_back_during: 3,
    Round.rolled_back: 2,
    Round.late: 2,
    Round.reordered: 2,
    Round.compacted: 1,
    Round.cleaned: 1,
}
"""How often each is chosen, beside the others."""


def main() -> int:
    """Attack until the time is over; return 1 if something was found."""
    parser = argparse.ArgumentParser(description="Random nights against a plain model.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--tree", type=Path, default=ROOT, help="the checkout whose commands are run")
    options = parser.parse_args()
    end, done, faults, number = time.monotonic() + 60 * options.minutes, Counter[str](), Counter[str](), 0
    say(f"seed {options.seed}")
    while time.monotonic() < end:
        rng = random.Random(f"{options.seed}-{number}")
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            play(Round(options.tree.resolve(), Path(folder), rng), number, end, done, faults)
        number += 1
    say(f"{number} rounds; steps: {dict(done)}; faults: {dict(faults) or 'none'}")
    return 1 if faults else 0


def play(of: Round, number: int, end: float, done: Counter[str], faults: Counter[str]) -> None:
    """Play one round."""
    steps, last = [], ""
    try:
        for step in [Round.night, *of.rng.choices(list(STEPS), list(STEPS.values()), k=STEPS_A_ROUND)]:
            last = step.__name__
            steps.append(last)
            step(of)
            done[last] += 1
            if time.monotonic() > end:
                break
    except FaultError as fault:
        faults[last] += 1
        say(f"round {number}, {'PubMed names' if of.world.pubmed else 'other names'}: {' > '.join(steps)}: {fault}")
    else:
        say(f"round {number}: {' > '.join(steps)}: as it should be")
    finally:
        of.store.kill()


if __name__ == "__main__":
    sys.exit(main())

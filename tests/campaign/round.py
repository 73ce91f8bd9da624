"""A round of the campaign: a store, its source files, what it may serve, and how that is looked at."""

import random
import time
from pathlib import Path

from tests.campaign.driven import Done, Store, wait
from tests.campaign.world import Alive, World
from tests.support.models import tiny

KINDS = ("articles", "snapshots", "vectors", "quantizers", "shards", "segments", "tombstones", "versions")
"""Of files, in the order in which a night makes them."""
DONE, OTHER_WRITER, HELD, GAP = 0, 4, 6, 8
"""Exit codes."""
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
        self.rng, self.folder = rng, folder
        tiny.encoder(folder / "model")
        (folder / "config.toml").write_text(CONFIG.format(folder=folder, dimension=tiny.DIMENSION))
        self.world = World(folder / "issued", rng, pubmed=rng.random() < 0.7)
        self.store = Store(tree, folder / "store", folder / "config.toml")
        self.missing: set[str] = set()
        self.served: dict[str, Alive] = {}
        """What each version was found to serve."""
        self.anew: set[str] = set()
        """Versions of full builds that were asked for."""
        self.allowed: list[Alive] = [{}]
        """What CURRENT may serve at the moment."""

    def taken(self) -> Alive:
        """What is alive by all files but those that are missing."""
        return self.world.alive(set(self.world.names) - self.missing)

    def promote_anew(self) -> None:
        """Promote what `index --full` built."""
        self.expect(self.store.run("promote"), DONE)
        self.anew.add(self.store.current()["version"])

    def offer(self, without: set[str] | None = None) -> Path:
        """A folder of all files but those that are missing, and these."""
        names = [name for name in self.world.names if name not in self.missing | (without or set())]
        return self.world.offer(self.folder / "offers" / str(time.monotonic_ns()), names)

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

    def finish(self, *, gap: bool = False, ahead: float = 0, only: set[str] | None = None) -> None:
        """Run a night to its end, with all files or only these: CURRENT serves what is alive."""
        without = set(self.world.names) - only if only else None
        first = not self.store.current() and self.world.pubmed
        if first:
            self.expect(self.store.run("ingest", "--source", str(self.offer()), "--baseline", ahead=ahead), DONE)
        done = self.store.run("nightly", "--source", str(self.offer(without)), ahead=ahead)
        self.expect(done, DONE, GAP)
        if done.code != (GAP if gap else DONE):
            raise FaultError(
                f"missing: {', '.join(self.missing) or 'nothing'}; the night ends with {done.code}: {done.last}"
            )
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
            self.served[served.version] = served.alive
        self.allowed = [served.alive]

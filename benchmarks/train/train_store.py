"""A store of real articles with pairs of them, and jobs on it as a user runs them; part of benchmarks/train."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple, Self

from actors.store.local_store import LocalStore
from actors.train.training_run import TrainPlan
from benchmarks.embed.embed_job import real_articles
from jobs.common.config import DEFAULT, ROOT, load_config
from jobs.common.store import ingested
from jobs.steps.demo.demo_data import write_pmids
from schemas.config import Config

CONFIG = """based_on = "{demo}"
store = "{store}"
[selection]
rule = "pmids"
file = "{pmids}"
[train]        # what sentence-transformers' MultipleNegativesRankingLoss has too
loss = "one-way"
distil = "none"
masks = []
neighbours = 1
warmup = 0
measured = 0
"""
FILE = "config.toml"


class TrainStore(NamedTuple):
    """A folder with a configuration, and the store that it names."""

    folder: Path
    batch: int
    """Pairs of a step."""

    @classmethod
    def made(cls, articles: int, batch: int) -> Self:
        """Return the store of so many random articles with an abstract, ingested on the first call."""
        cache = Path(load_config(None, [], {}).cache)
        made = cls(cache / "benchmarks" / f"train-{articles}", batch)
        made.folder.mkdir(parents=True, exist_ok=True)
        pmids = made.folder / "pmids.txt"
        text = CONFIG.format(demo=DEFAULT, store=made.root, pmids=pmids)
        (made.folder / FILE).write_text(text)
        if not pmids.exists():
            made.job("ingest", "--source", "embedded:pubmed")
            write_pmids(pmids, real_articles(made.config(), articles)[0])
        return made

    @property
    def root(self) -> Path:
        return self.folder / "store"

    def config(self, **train: Any) -> Config:
        """Return the configuration, with values of `[train]`."""
        config = load_config(str(self.folder / FILE), [], {})
        return config.with_values(train={"batch": self.batch, **train})

    def job(self, *arguments: str, **values: Any) -> dict[str, Any]:
        """Run `pubray` with values of its configuration, `__` for the point in their keys; return its report."""
        given = {"train__batch": self.batch, **values}
        sets = [word for key, value in given.items() for word in ("--set", f"{key.replace('__', '.')}={value}")]
        command = [sys.executable, "-m", "jobs", "--config", str(self.folder / FILE), *sets, *arguments, "--json"]
        environment = {**os.environ, "PUBRAY_STORE": str(self.root)}
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout)

    def plan(self) -> TrainPlan:
        """Return a run over pairs of the articles, for which nothing is ranked; they are mined on the first call."""
        report = self.job("mine", mine__near=0, mine__negatives=0)
        return TrainPlan("retriever", "none", (report["pairs"],), ingested(LocalStore(str(self.root))).id)

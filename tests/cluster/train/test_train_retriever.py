"""Training on real records: what comes of it, and a run that is disturbed."""

import os
import random
import signal
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from actors.embed.towers import ArticleTower, QueryTower
from actors.fetch.stored_models import folder_of
from actors.store.local_store import LocalStore
from jobs import mine, train_retriever
from jobs.common.config import load_config
from schemas.config import Config
from schemas.errors import StoreError
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.protocols import ArticleText, Query
from schemas.training_report import TrainReport
from tests.support.processes import kill, kill_all, started, within, workers

pytestmark = pytest.mark.whole
MINE = {"limit": 150, "near": 16, "negatives": 3, "ranks": (5, 60), "margin": 1}
TRAIN: dict[str, Any] = {
    "batch": 8,
    "neighbours": 4,
    "chunk": 4,
    "steps": 6,
    "warmup": 1,
    "checkpoint_steps": 2,
    "lr": 1e-4,
    "threads": 1,
    "dropout": True,
}
WAIT = 180


@pytest.fixture(scope="module")
def pairs(version: IndexVersion, config: Config) -> str:
    return mine.run(config.with_values(mine=MINE)).pairs


@pytest.fixture(scope="module")
def trained(pairs: str, config: Config) -> tuple[Config, TrainReport]:
    own = config.with_values(train=TRAIN)
    return own, train_retriever.run(own, pairs=pairs)


def weights(config: Config, report: TrainReport) -> bytes:
    [model] = report.models
    return LocalStore(config.store).path(f"{Layout.model(model.rpartition(':')[2])}/model.safetensors").read_bytes()


def test_the_model_is_used_by_pubray_and_by_sentence_transformers_alike(
    trained: tuple[Config, TrainReport], pairs: str, tmp_path: Path
) -> None:
    config, report = trained
    assert (report.steps, report.begun_at) == (6, 0)
    assert all(0.5 < of.after <= 1 for of in report.held_out_ndcg.values())
    assert "title" in report.held_out_ndcg
    file = tmp_path / "trained.toml"
    assert train_retriever.run(config, pairs=pairs, write_config=str(file)) == report  # nothing is done again
    assert tomllib.loads(file.read_text())["encoder"]["query"]["model"] == report.models[0]
    own = load_config(str(file), [], {"PUBRAY_STORE": config.store}).with_values(
        engine={"kind": "torch", "precision": "float32"}
    )
    queries = ["pain in the muscles of mice", "asthma"]
    articles = [ArticleText("Statins in old mice", "They slept."), ArticleText("Hay fever", "")]
    theirs = SentenceTransformer(str(folder_of(own.encoder.query, own)), device="cpu")
    found = [QueryTower(own, 1).encode([Query(q) for q in queries]), ArticleTower(own, 1).encode(articles)]
    wanted = [theirs.encode_query(queries), theirs.encode_document([" ".join(article).strip() for article in articles])]
    assert np.abs(np.concatenate(found) - np.concatenate(wanted)).max() < 1e-5
    start = QueryTower(config.with_values(engine={"kind": "torch", "precision": "float32"}), 1).encode(
        [Query(q) for q in queries]
    )
    assert np.abs(found[0] - start).max() > 1e-4


def test_pairs_that_are_not_there_are_refused(config: Config, version: IndexVersion) -> None:
    with pytest.raises(StoreError, match="no such set of pairs; run pubray mine"):
        train_retriever.run(config, pairs="nothing")


def test_two_workers_of_which_one_is_killed_end_in_the_bits_of_two_that_were_not(pairs: str, config: Config) -> None:
    found, states = [], LocalStore(config.store).path("checkpoints")
    state = f"*/{2 * random.randint(1, 15):08}*"  # drawn anew each time: after any of them
    others = {*states.glob(state)}
    for killed in (False, True):
        own = config.with_values(train=TRAIN | {"workers": 2, "steps": 40, "seed": 1})
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(train_retriever.run, own, pairs=pairs)
            if killed:
                within(WAIT, lambda: {*states.glob(state)} - others)
                kill(workers("RayTrainWorker")[0])
                assert not running.done()
            report = running.result(WAIT)
        found.append(weights(own, report))
        store = LocalStore(config.store)
        store.remove(Layout.training_run(report.run))
        store.remove(Layout.checkpoints(report.run))
    assert found[0] == found[1], state


def test_stopped_by_ctrl_c_then_killed_and_run_again_is_as_never_disturbed(
    trained: tuple[Config, TrainReport], pairs: str, tmp_path: Path
) -> None:
    config, report = trained
    undisturbed, store = weights(config, report), LocalStore(config.store)
    store.remove(Layout.training_run(report.run))
    store.remove(Layout.checkpoints(report.run))
    settings = [f"train.{name}={str(value).lower()}" for name, value in TRAIN.items()]
    command = [*(word for one in settings for word in ("--set", one)), "train-retriever", "--pairs", pairs]
    states = store.path(Layout.checkpoints(report.run))
    with started(config.store, *command) as process:
        within(WAIT, lambda: states.is_dir() and any(states.iterdir()))
        os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=WAIT)
    assert process.returncode == 130, error
    kept = sorted(path.name for path in states.iterdir())
    with started(config.store, *command):
        within(WAIT, lambda: sorted(path.name for path in states.iterdir()) != kept)
        kill_all(config.store)
    again = train_retriever.run(config, pairs=pairs)
    assert again.run == report.run
    assert again.begun_at > 0
    assert weights(config, again) == undisturbed

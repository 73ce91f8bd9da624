"""A run in one process: it goes on where it was stopped, and leaves a model that others read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from actors.embed.towers import ArticleTower, QueryTower
from actors.fetch.stored_models import folder_of
from actors.store.local_store import LocalStore
from actors.train.held_out import read_held_out
from actors.train.peers import Alone
from actors.train.retriever.found_ndcg import found_ndcg
from actors.train.retriever.retriever_learner import RetrieverLearner
from actors.train.training_run import TrainingRun, TrainPlan, newest_state
from schemas.config import Config
from schemas.encoder import EncoderSpec
from schemas.layout import Layout
from schemas.protocols import ArticleText, Query
from tests.support.training import made_pairs

TRAIN: dict[str, Any] = {
    "batch": 8,
    "neighbours": 2,
    "chunk": 4,
    "steps": 6,
    "warmup": 1,
    "checkpoint_steps": 2,
    "lr": 1e-3,
    "precision": "float32",
    "dropout": True,
}
ENGINE = {"kind": "torch", "precision": "float32"}
RUN = "run"


@pytest.fixture
def made(tmp_path: Path, tiny_encoder: Path) -> tuple[Config, TrainPlan]:
    config, snapshot = made_pairs.store_of(tmp_path, tiny_encoder)
    return config.with_values(train=TRAIN, engine=ENGINE), TrainPlan("retriever", RUN, ("made",), snapshot)


def training(made: tuple[Config, TrainPlan], run: str = RUN, **values: Any) -> TrainingRun:
    config = made[0].with_values(train=values)
    learner = RetrieverLearner(config, made[1], Alone(), "cpu")
    return TrainingRun(LocalStore(config.store), run, learner, Alone(), config.train)


def trained(run: TrainingRun, work: Path) -> EncoderSpec:
    assert [step.number for step in run.steps()][-1] == 6
    return EncoderSpec.model_validate(run.model({"run": RUN}, work)["encoder"])


def weights(config: Config, spec: EncoderSpec) -> bytes:
    return (folder_of(spec.article, config) / "model.safetensors").read_bytes()


def test_a_run_that_was_stopped_ends_in_the_bits_of_one_that_was_not(
    made: tuple[Config, TrainPlan], tmp_path: Path
) -> None:
    config, _ = made
    whole = trained(training(made), tmp_path / "whole")
    stopped = training(made, "other")
    for step in stopped.steps():
        stopped.over = step.number == 2
    store = LocalStore(config.store)
    assert newest_state(store, "other") == Layout.checkpoint("other", "00000003")
    again = training(made, "other")
    assert again.begun_at == 3
    assert weights(config, trained(again, tmp_path / "again")) == weights(config, whole)
    assert sorted(store.names(Layout.checkpoints("other"))) == ["00000004.safetensors", "00000006.safetensors"]


def test_the_model_makes_the_vectors_that_sentence_transformers_makes(
    made: tuple[Config, TrainPlan], tmp_path: Path, tiny_encoder: Path
) -> None:
    config, plan = made
    spec = trained(training(made), tmp_path / "work")
    own = config.model_copy(update={"encoder": spec})
    folder = folder_of(spec.query, own)
    assert (folder / "tokenizer.json").read_bytes() == (tiny_encoder / "tokenizer.json").read_bytes()
    theirs = SentenceTransformer(str(folder), device="cpu")
    queries, articles = ["pain in mice", "asthma"], [ArticleText("Statin", "muscle pain"), ArticleText("Hay fever", "")]
    found = [QueryTower(own, 1).encode([Query(q) for q in queries]), ArticleTower(own, 1).encode(articles)]
    wanted = [theirs.encode_query(queries), theirs.encode_document([" ".join(of).strip() for of in articles])]
    assert np.abs(np.concatenate(found) - np.concatenate(wanted)).max() < 1e-5
    start = QueryTower(config, 1).encode([Query(q) for q in queries])
    assert np.abs(found[0] - start).max() > 1e-4
    held_out = read_held_out(config.with_values(train={"measured": 3}), plan, decides=False)
    before, after = (found_ndcg(of, held_out, 1)["title"] for of in (config, own))
    assert 1 <= len(before) == len(after) <= 3


def test_a_soup_of_nothing_trained_is_the_start_model(made: tuple[Config, TrainPlan], tmp_path: Path) -> None:
    config, _ = made
    own = config.model_copy(update={"encoder": trained(training(made, soup=0), tmp_path / "work")})
    texts = [ArticleText("Statin", "muscle pain in mice")]
    assert np.abs(ArticleTower(own, 1).encode(texts) - ArticleTower(config, 1).encode(texts)).max() < 1e-6


def test_two_towers_are_two_models(made: tuple[Config, TrainPlan], tmp_path: Path) -> None:
    spec = trained(training(made, untied=True), tmp_path / "work")
    assert spec.query.model != spec.article.model
    config, _ = made
    assert not (folder_of(spec.query, config) / "modules.json").exists()


def test_the_best_share_of_what_was_learnt_is_chosen_by_pairs_that_do_not_measure(
    made: tuple[Config, TrainPlan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _ = made
    halves = []
    for best in (0, 1):
        found = iter([{"title": 0.5 + 0.1 * (number == best)} for number in range(4)])
        monkeypatch.setattr(RetrieverLearner, "evaluate", lambda self, found=found: next(found))
        halves.append(weights(config, trained(training(made, str(best), soup="auto"), tmp_path / str(best))))
    for best, share in enumerate((0.25, 0.5)):
        fixed = trained(training(made, f"fixed {share}", soup=share), tmp_path / f"fixed {share}")
        assert weights(config, fixed) == halves[best]


def test_held_out_pairs_are_found_by_the_towers_as_they_are(made: tuple[Config, TrainPlan], tmp_path: Path) -> None:
    config, plan = made
    own = config.with_values(train={"evaluate_every": 2, "evaluated": 3})
    learner = RetrieverLearner(own, plan, Alone(), "cpu")
    [of] = read_held_out(own, plan, decides=True)
    measured = found_ndcg(own, [of._replace(whole=[answer for answer, *_ in of.articles])], 1)
    assert learner.evaluate() == pytest.approx({name: of.mean() for name, of in measured.items()}, abs=1e-6)

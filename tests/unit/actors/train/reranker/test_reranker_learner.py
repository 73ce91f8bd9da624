"""A run in one process: it goes on where it was stopped, and leaves a cross-encoder that the service reads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.fetch.stored_models import folder_of
from actors.search.rerankers import CrossEncoderReranker, load_reranker
from actors.store.local_store import LocalStore
from actors.train.held_out import read_held_out
from actors.train.peers import Alone
from actors.train.reranker.ordered_ndcg import ordered_ndcg, shown
from actors.train.reranker.reranker_learner import RerankerLearner
from actors.train.training_run import TrainingRun, TrainPlan
from schemas.config import Config
from schemas.errors import InputError
from schemas.protocols import ArticleText, Match, Query, Scoring
from tests.support.training import made_pairs

VALUES: dict[str, Any] = {
    "train_reranker": {
        "batch": 4,
        "hard_negatives": 2,
        "steps": 4,
        "warmup": 1,
        "checkpoint_steps": 2,
        "lr": 1e-3,
        "length": 24,
        "precision": "float32",
        "dropout": True,
    },
    "engine": {"kind": "torch", "precision": "float32"},
}


@pytest.fixture
def made(tmp_path: Path, tiny_encoder: Path) -> tuple[Config, TrainPlan]:
    config, snapshot = made_pairs.store_of(tmp_path, tiny_encoder)
    return config.with_values(**VALUES), TrainPlan("reranker", "run", ("made",), snapshot)


def training(made: tuple[Config, TrainPlan], run: str = "run", **values: Any) -> TrainingRun:
    config = made[0].with_values(train_reranker=values)
    learner = RerankerLearner(config, made[1], Alone(), "cpu")
    return TrainingRun(LocalStore(config.store), run, learner, Alone(), config.train_reranker)


def weights(config: Config, values: dict[str, Any]) -> bytes:
    return (folder_of(config.with_values(**values).rerank, config) / "model.safetensors").read_bytes()


def test_a_run_that_was_stopped_ends_in_the_bits_of_one_that_was_not(
    made: tuple[Config, TrainPlan], tmp_path: Path
) -> None:
    whole, stopped = training(made), training(made, "other")
    assert len([*whole.steps()]) == 4
    for step in stopped.steps():
        stopped.over = step.number == 1
    again = training(made, "other")
    assert again.begun_at == 2
    assert len([*again.steps()]) == 2
    models = [run.model({}, tmp_path / str(number)) for number, run in enumerate((whole, again))]
    assert weights(made[0], models[0]) == weights(made[0], models[1])


def test_the_model_scores_in_the_service_as_it_did_in_training(
    made: tuple[Config, TrainPlan], tmp_path: Path, tiny_encoder: Path
) -> None:
    run = training(made)
    assert len([*run.steps()]) == 4
    own = made[0].with_values(**run.model({"run": "run"}, tmp_path / "work"))
    folder = folder_of(own.rerank, own)
    assert (folder / "tokenizer.json").read_bytes() == (tiny_encoder / "tokenizer.json").read_bytes()
    reranker = load_reranker(own)
    assert isinstance(reranker, CrossEncoderReranker)
    articles = [ArticleText("Statin", "muscle pain in mice"), ArticleText("Hay fever", "")]
    scoring = Scoring(Query("pain of mice"), [Match(0, shown(article)) for article in articles])
    [found] = reranker.scores([scoring])
    learner = run._learner
    assert isinstance(learner, RerankerLearner)
    [wanted] = learner._gradients.scores([learner._model.tokens("pain of mice", articles)])
    assert np.abs(np.array([score.final for score in found]) - wanted).max() < 1e-5


def test_it_starts_as_the_configured_cross_encoder(
    made: tuple[Config, TrainPlan], tmp_path: Path, tiny_classifier: Path
) -> None:
    config, plan = made
    own = config.with_values(rerank={"kind": "cross-encoder", "model": str(tiny_classifier)})
    learner = RerankerLearner(own, plan, Alone(), "cpu")
    texts = [ArticleText("Statin", "muscle pain in mice")]
    [before] = learner._gradients.scores([learner._model.tokens("asthma", texts)])
    reranker = load_reranker(own)
    assert reranker
    [[score]] = reranker.scores([Scoring(Query("asthma"), [Match(0, shown(texts[0]))])])
    assert before[0] == pytest.approx(score.raw, abs=1e-6)


def test_held_out_queries_are_ordered_by_what_is_configured(made: tuple[Config, TrainPlan], tmp_path: Path) -> None:
    config, plan = made
    run = training(made, evaluate_every=2, evaluated=3)
    assert len([*run.steps()]) == 4
    assert [point.step for point in run.curve] == [0, 2, 4]
    own = config.with_values(**run.model({}, tmp_path / "work"))
    held_out = read_held_out(config.with_values(train_reranker={"evaluated": 3}), plan, decides=True)
    best = max(point.ndcg["title"] for point in run.curve)
    assert ordered_ndcg(own, held_out, 1)["title"].mean() == pytest.approx(best, abs=1e-6)
    assert {*ordered_ndcg(config.with_values(rerank={"kind": "none"}), held_out, 1)} == {"title"}


def test_held_out_pairs_without_near_articles_are_refused(made: tuple[Config, TrainPlan]) -> None:
    config, plan = made
    own = config.with_values(rerank={"candidates": 1})
    with pytest.raises(InputError, match=r"no near articles to be ordered; mine with mine\.near = 32"):
        read_held_out(own, plan, decides=True)

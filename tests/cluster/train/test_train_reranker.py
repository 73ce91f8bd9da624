"""A re-ranker trained on real records: what comes of it."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from actors.search.rerankers import load_reranker
from actors.train.reranker.ordered_ndcg import shown
from jobs import mine, train_reranker
from jobs.common.config import load_config
from schemas.config import Config
from schemas.manifest import IndexVersion
from schemas.protocols import ArticleText, Match, Query, Scoring

pytestmark = pytest.mark.whole
MINE = {"limit": 200, "near": 16, "negatives": 3, "ranks": (5, 60), "margin": 1, "teacher": True}
TRAIN: dict[str, Any] = {
    "batch": 4,
    "hard_negatives": 3,
    "steps": 4,
    "warmup": 1,
    "distil": "scores",
    "evaluate_every": 2,
    "evaluated": 10,
    "measured": 10,
    "length": 64,
    "threads": 1,
}


def test_a_cross_encoder_comes_of_pairs_and_scores_in_the_second_stage(
    version: IndexVersion, config: Config, tmp_path: Path
) -> None:
    pairs = mine.run(config.with_values(mine=MINE)).pairs
    own, file = config.with_values(train_reranker=TRAIN), tmp_path / "reranker.toml"
    report = train_reranker.run(own, pairs=pairs, write_config=str(file))
    assert report.steps == 4
    assert {*report.loss} == {"listwise", "distillation", "gradient"}
    assert [point.step for point in report.curve] == [0, 2, 4]
    assert all(0 <= of.after <= 1 and of.before > 0.5 for of in report.held_out_ndcg.values())
    assert "title" in train_reranker.show(report)
    assert train_reranker.run(own, pairs=pairs) == report  # nothing is done again
    assert tomllib.loads(file.read_text())["rerank"]["model"] == report.models[0]
    reranker = load_reranker(load_config(str(file), [], {"PUBRAY_STORE": config.store}))
    assert reranker
    texts = [ArticleText("Statins in old mice", "They slept."), ArticleText("Hay fever", "")]
    [scores] = reranker.scores([Scoring(Query("statins"), [Match(0, shown(text)) for text in texts])])
    assert len(scores) == 2
